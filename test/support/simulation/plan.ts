import fc from 'fast-check';
import type { OnError } from '../../../src/core/routing.ts';

/** What can go wrong in the database, as probabilities for each occasion. */
export interface DatabaseFaults {
  readonly streamEnds: number;
  /** The log comes late. */
  readonly streamLags: number;
  readonly openFails: number;
  readonly passFails: number;
  readonly settleFails: number;
  /** Marks of parked rows are not written or read, rows are not buried. */
  readonly parkFails: number;
  /** A stream is offered that comes from another server: an old primary. */
  readonly strayStreams: number;
  /** x0 takes long to be told. */
  readonly slowXids: number;
}

/** What can go wrong at the broker, as probabilities for each occasion. */
export interface BrokerFaults {
  readonly openFails: number;
  /** A session fails with a batch whose fate is unknown: any prefix of it may have been stored. */
  readonly sessionFails: number;
  /** A dead letter cannot be sent. */
  readonly deadLetterFails: number;
  /** A batch takes so long that there is no room for others meanwhile. */
  readonly stalls: number;
}

/** What the writers do, as probabilities for each transaction. */
export interface WriterHabits {
  /** A standby is waited for before it becomes visible. */
  readonly late: number;
  /** `synchronous_commit = off`. */
  readonly asynchronous: number;
  /** It is prepared, and commits long after its last row. */
  readonly prepared: number;
  /** A row of it is refused by the broker until the quiet end. */
  readonly refused: number;
  /** A row of it cannot become a message until the quiet end. */
  readonly faulty: number;
  /** For each row: it has no key. */
  readonly keyless: number;
}

/** How a relay ends, and after how many crossings of its {@link Gate}; the next one begins at once. */
export interface RelayEnd {
  /**
   * - `kill`: at that very moment; what has left it goes on
   * - `stop`: in order, with a drain
   * - `freeze`: it is stopped (or cut off), goes on while another one leads, and is killed in the end
   */
  readonly kind: 'kill' | 'stop' | 'freeze';
  readonly crossing: number;
}

/** What happens to the database, some time while the writers write. */
export type Disaster = 'crash' | 'failover' | 'rewrite' | 'truncate' | 'hole';

/** A rule that the simulated database sessions keep as the real ones do, and break for the sake of a mutant. */
export type ReaderRule =
  | 'one-snapshot'
  | 'lock-before-snapshot'
  | 'position-after-snapshot'
  | 'flush-before-telling'
  | 'delete-by-id'
  | 'gone-if-visible'
  | 'committed-only'
  | 'same-server'
  | 'publication-examined'
  | 'marks-fenced';

/** What a history is made of. All of it follows from these. */
export interface HistoryPlan {
  readonly seed: number;
  /** Transactions of the writers. */
  readonly transactions: number;
  /** Keys that they write. */
  readonly keys: number;
  readonly habits: WriterHabits;
  readonly ends: readonly RelayEnd[];
  readonly disasters: readonly Disaster[];
  readonly database: DatabaseFaults;
  readonly broker: BrokerFaults;
  /** Memory budget in rows (each counts one byte). */
  readonly memoryRows: number;
  /** What is done with rows at fault. */
  readonly onError: Exclude<OnError, 'halt'>;
  /** Between which the keys are divided; faults hit the first one's broker only. */
  readonly destinations: 1 | 2;
  /** Whether the database leaves out the keys behind parked rows, or the relay has to. */
  readonly keysInSql: boolean;
  /** Streamed transactions are published only once they are visible. */
  readonly onlyVisible: boolean;
  /** Whether there are audits, which heal losses. Where the publication has holes there are in any case. */
  readonly audits: boolean;
}

export const NO_DATABASE_FAULTS: DatabaseFaults = {
  streamEnds: 0,
  streamLags: 0,
  openFails: 0,
  passFails: 0,
  settleFails: 0,
  parkFails: 0,
  strayStreams: 0,
  slowXids: 0,
};

export const NO_BROKER_FAULTS: BrokerFaults = { openFails: 0, sessionFails: 0, deadLetterFails: 0, stalls: 0 };

const probability = (most: number): fc.Arbitrary<number> => fc.constantFrom(0, most / 4, most);

/** Moments of death: as many in the first few crossings as in the hundreds that follow. */
const crossings: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1, max: 30 }),
  fc.integer({ min: 1, max: 120 }),
  fc.integer({ min: 1, max: 600 }),
);

/** Every kind of history: each cause of trouble is absent in some, and beside all others in others. */
export const ALL_PLANS = {
  seed: fc.integer({ min: 1, max: 2 ** 30 }),
  transactions: fc.integer({ min: 4, max: 40 }),
  keys: fc.integer({ min: 1, max: 6 }),
  habits: fc.record({
    late: fc.constantFrom(0, 0.2, 0.8),
    asynchronous: fc.constantFrom(0, 0.2, 0.8),
    prepared: probability(0.1),
    refused: probability(0.1),
    faulty: probability(0.05),
    keyless: probability(0.3),
  }),
  ends: fc.array(fc.record({ kind: fc.constantFrom('kill', 'kill', 'stop', 'freeze'), crossing: crossings }), {
    maxLength: 3,
  }),
  disasters: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 3,
      arbitrary: fc.array(fc.constantFrom('crash', 'failover', 'rewrite', 'truncate', 'hole'), { maxLength: 3 }),
    },
  ),
  database: fc.record({
    streamEnds: probability(0.02),
    streamLags: probability(0.2),
    openFails: probability(0.3),
    passFails: probability(0.05),
    settleFails: probability(0.1),
    parkFails: probability(0.3),
    strayStreams: probability(0.2),
    slowXids: probability(0.5),
  }),
  broker: fc.record({
    openFails: probability(0.3),
    sessionFails: probability(0.05),
    deadLetterFails: probability(0.3),
    stalls: probability(0.1),
  }),
  memoryRows: fc.constantFrom(10, 40, 1000),
  onError: fc.constantFrom('park-key', 'dead-letter'),
  destinations: fc.constantFrom(1, 2),
  keysInSql: fc.boolean(),
  onlyVisible: fc.constantFrom(false, false, false, true),
  audits: fc.boolean(),
} satisfies PlanSource;

/** Where each part of a plan is drawn from. */
export type PlanSource = { readonly [Part in keyof HistoryPlan]: fc.Arbitrary<HistoryPlan[Part]> };

/** @param narrowed parts that are drawn from elsewhere */
export function plans(narrowed: Partial<PlanSource> = {}): fc.Arbitrary<HistoryPlan> {
  const source: PlanSource = { ...ALL_PLANS, ...narrowed };
  return fc.record(source);
}

/** How many histories a run of the tests plays: `HISTORIES`, or 10,000 where `CI=true`, else 500. */
export function historiesToPlay(): number {
  const { HISTORIES, CI } = process.env;
  return Number(HISTORIES ?? (CI === 'true' ? 10_000 : 500));
}

/** The seed that histories are drawn by: fixed, so that a failure is of the change; `HISTORIES_SEED` draws others. */
export function historiesSeed(): number {
  return Number(process.env.HISTORIES_SEED ?? 1);
}
