import fc from 'fast-check';
import { NO_BROKER_FAULTS, NO_DATABASE_FAULTS, type PlanSource, type ReaderRule } from '../simulation/plan.ts';
import type { Verdict } from '../simulation/truth.ts';
import type { Edit } from './plugin.ts';

/** One rule, broken. */
export interface Mutant {
  /** Which: of the invariants in docs/architecture.md. */
  readonly rule: number;
  /** How it is broken, in words. */
  readonly name: string;
  /** In the source ... */
  readonly edits?: readonly Edit[];
  /** ... or, where the rule is kept by SQL or by the server, in the simulated session that stands for it. */
  readonly breaks?: ReaderRule;
  /** Histories in which it matters; where nothing is said, all kinds. */
  readonly plans?: Partial<PlanSource>;
  /** What comes of it, and must be found. */
  readonly finds: keyof Verdict;
}

// ---- histories in which a rule matters more often than in others ----

export const always = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);
export const HABITS = { late: 0.2, asynchronous: 0, prepared: 0, refused: 0, faulty: 0, keyless: 0 };
export const LATE = { ...HABITS, late: 0.8 };
export const REFUSED = { ...HABITS, refused: 0.4 };

export const QUIET: Partial<PlanSource> = {
  habits: always(HABITS),
  ends: always([]),
  disasters: always([]),
  database: always(NO_DATABASE_FAULTS),
  broker: always(NO_BROKER_FAULTS),
  memoryRows: always(1000),
  onlyVisible: always(false),
  audits: always(false),
};
export const LAGGING: Partial<PlanSource> = { ...QUIET, database: always({ ...NO_DATABASE_FAULTS, streamLags: 0.3 }) };
export const LATE_COMMITS: Partial<PlanSource> = { ...QUIET, habits: always(LATE), transactions: always(40) };
export const BROKEN_STREAMS: Partial<PlanSource> = {
  ...LATE_COMMITS,
  database: always({ ...NO_DATABASE_FAULTS, streamEnds: 0.05, slowXids: 0.5 }),
};
export const BROKEN_SESSIONS: Partial<PlanSource> = {
  ...QUIET,
  broker: always({ ...NO_BROKER_FAULTS, sessionFails: 0.2 }),
};
export const REFUSALS: Partial<PlanSource> = { ...QUIET, habits: always(REFUSED), onError: always('park-key') };
export const KILLS: PlanSource['ends'] = fc.array(
  fc.record({ kind: always('kill' as const), crossing: fc.integer({ min: 20, max: 150 }) }),
  { minLength: 1, maxLength: 3 },
);
export const STOPS: PlanSource['ends'] = fc.array(
  fc.record({ kind: always('freeze' as const), crossing: fc.integer({ min: 5, max: 80 }) }),
  { minLength: 1, maxLength: 3 },
);
