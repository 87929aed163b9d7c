import type { Random } from '../../support/simulation/random.ts';
import type { BrokerName } from '../brokers/broker.ts';
import type { Stage } from '../stage.ts';

/** What faults of different lanes hit; those of one lane come one after the other, those of several overlap. */
export type Lane = 'relay' | 'sessions' | 'postgres' | 'broker' | 'table';

/** Something that goes wrong, and is mended again. */
export interface Fault {
  /** It waits until what has begun before it in any of these is mended. */
  readonly lanes: readonly Lane[];
  /** How long it lasts, in milliseconds: drawn from this range. [0, 0] for what has no duration. */
  readonly lasts: readonly [number, number];
  /** Needs two relays. @default false */
  readonly pair?: boolean;
  /** The brokers that it can happen to. @default all */
  readonly brokers?: readonly BrokerName[];
  /** Whether transactions that were committed may be gone afterwards, as they are with every other relay. @default false */
  readonly losesCommits?: boolean;
  /** Says nothing about a peer: that has no second instance, deletes nothing, or loses its slot by it. @default false */
  readonly ownOnly?: boolean;
  /** What is wrong before the relays are started; `strike` then begins as they are. @default nothing */
  prepare?(stage: Stage): Promise<void>;
  /** Lets it happen, and resolves when all of it is mended. @param forMs how long it lasts */
  strike(stage: Stage, forMs: number): Promise<void>;
}

/** A number of milliseconds from a range. */
export function drawDuration(random: Random, [least, most]: readonly [number, number]): number {
  return least + random.below(most - least + 1);
}
