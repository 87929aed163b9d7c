import type { Random } from '../../support/simulation/random.ts';
import type { Stage } from '../stage.ts';

/** What faults of different lanes hit; those of one lane come one after the other, those of several overlap. */
export type Lane = 'relay' | 'sessions' | 'postgres' | 'broker' | 'table';

/** Something that goes wrong, and is mended again. */
export interface Fault {
  readonly lane: Lane;
  /** How long it lasts, in milliseconds: drawn from this range. [0, 0] for what has no duration. */
  readonly lasts: readonly [number, number];
  /** Needs two relays. @default false */
  readonly pair?: boolean;
  /** Lets it happen, and resolves when all of it is mended. @param forMs how long it lasts */
  strike(stage: Stage, forMs: number): Promise<void>;
}

/** A number of milliseconds from a range. */
export function drawDuration(random: Random, [least, most]: readonly [number, number]): number {
  return least + random.below(most - least + 1);
}
