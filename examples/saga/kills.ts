import { Random } from '../../test/support/simulation/random.ts';

/** A process that is killed and comes back. */
export interface PlannedKill {
  readonly party: string;
  /** After the first order, in milliseconds. */
  readonly atMs: number;
  /** Until it is started again, in milliseconds. */
  readonly downMs: number;
}

const LONGEST_DOWN_MS = 800;
/** So long nothing happens at first, that there is something to interrupt. */
const QUIET_MS = 1000;

/** Draws when each of the victims is killed, and how long it is down. The same seed draws the same. */
export function planKills(seed: number, victims: readonly string[], withinMs: number): PlannedKill[] {
  const random = new Random(seed);
  return victims
    .map((party) => ({ party, atMs: QUIET_MS + random.below(withinMs), downMs: random.below(LONGEST_DOWN_MS) }))
    .sort((one, other) => one.atMs - other.atMs);
}
