import { columnLayout } from '../../../src/core/row.ts';
import type { OutgoingMessage } from '../../../src/core/message.ts';
import type { Router } from '../../../src/core/routing.ts';
import type { OutboxRow } from '../../../src/core/row.ts';
import { Relay, type RelayOptions } from '../../../src/relay/relay.ts';
import type { DestinationTelemetry, RelayTelemetry } from '../../../src/relay/telemetry.ts';
import { SimulatedBroker, type BrokerFaults } from './broker.ts';
import { SimulatedDatabase, type DatabaseFaults } from './database.ts';
import { pause, Random } from './random.ts';

/** What a history is made of. All of it follows from these. */
export interface HistoryPlan {
  readonly seed: number;
  /** Transactions of the writers. */
  readonly transactions: number;
  /** Keys that they write. */
  readonly keys: number;
  /** How many relays are killed, one after the other, at random moments. */
  readonly crashes: number;
  readonly database: DatabaseFaults;
  readonly broker: BrokerFaults;
  /** Memory budget in rows (each counts one byte). */
  readonly memoryRows: number;
  /** Share of transactions whose visibility is late: a standby is waited for. */
  readonly lateVisibility: number;
  /** Share of rows that the broker refuses until the quiet end. */
  readonly refusals: number;
}

/** What is wrong at the end of a history; all empty when nothing is. */
export interface Verdict {
  readonly missing: readonly string[];
  readonly phantoms: readonly string[];
  readonly disorder: readonly string[];
  /** Stored twice, where nothing happened that would excuse it. */
  readonly duplicates: readonly string[];
  readonly leftInTable: number;
  readonly stragglers: number;
  /** Whether the destination came back to streaming once all was quiet. */
  readonly streaming: boolean;
}

const NO_DATABASE_FAULTS: DatabaseFaults = { streamEnds: 0, openFails: 0, passFails: 0, settleFails: 0 };

const OPTIONS: Omit<RelayOptions, 'memoryBytes'> = {
  pass: { rows: 7, timeMs: 60_000 },
  pollIntervalMs: 5,
  handoverRows: 4,
  streamAllowed: true,
  undeletedRows: 12,
  stream: { retryMs: 20, stallMs: 50 },
  auditIntervalMs: 40,
  parkedIntervalMs: 15,
};

/** Runs the real relay against a simulated database and broker, under writers and faults, in fake time. */
export class History {
  readonly #plan: HistoryPlan;
  readonly #random: Random;
  readonly #database: SimulatedDatabase;
  readonly #broker: SimulatedBroker;
  #relay: Relay | null = null;
  #stragglers = 0;
  #writing = true;

  constructor(plan: HistoryPlan) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
    this.#database = new SimulatedDatabase(new Random(plan.seed + 1), plan.database);
    this.#broker = new SimulatedBroker(new Random(plan.seed + 2), plan.broker);
  }

  /** To be awaited while somebody advances the fake clock. */
  async run(): Promise<Verdict> {
    const relays = this.#keepRelaying();
    const writers = Promise.all(Array.from({ length: 4 }, () => this.#write(Math.ceil(this.#plan.transactions / 4))));
    await writers;
    this.#database.faults = NO_DATABASE_FAULTS;
    this.#broker.faults = { openFails: 0, sessionFails: 0 };
    this.#broker.refused.clear();
    this.#writing = false;
    await relays;
    this.#database.retryAll();
    // quiet, with a few rows that can only come by the stream: restarts would hide what got stuck
    for (let round = 0; round < 400 && !this.#isQuiet(); round++) await pause(50);
    const streaming = this.#isQuiet();
    await this.#write(3);
    for (let round = 0; round < 40 && this.#database.size > 0; round++) await pause(5);
    const verdict = { ...this.#verdict(), streaming };
    await this.#relay?.abort();
    return verdict;
  }

  #isQuiet(): boolean {
    return this.#database.size === 0 && this.#relay?.destinations[0]?.state.name === 'streaming';
  }

  async #keepRelaying(): Promise<void> {
    this.#relay = this.#newRelay();
    await this.#relay.start();
    for (let crashed = 0; crashed < this.#plan.crashes; crashed++) {
      await pause(20 + this.#random.below(100));
      if (!this.#writing) return;
      await this.#relay.abort();
      this.#relay = this.#newRelay();
      await this.#relay.start();
    }
  }

  #newRelay(): Relay {
    return new Relay(
      {
        destinations: [
          { name: 'd', publisher: this.#broker, reader: this.#database.reader(), onSession: () => undefined },
        ],
        streamSource: this.#database,
        router: ROUTER,
        settler: this.#database,
        parkedStore: this.#database,
        auditor: this.#database,
        telemetry: noTelemetry(() => this.#stragglers++),
      },
      { ...OPTIONS, memoryBytes: this.#plan.memoryRows },
    );
  }

  async #write(transactions: number): Promise<void> {
    for (let count = 0; count < transactions; count++) {
      const transaction = this.#database.begin();
      const rows = 1 + this.#random.below(this.#random.chance(0.1) ? 20 : 3);
      for (let row = 0; row < rows; row++) {
        if (this.#random.chance(0.3)) await pause(this.#random.below(this.#random.chance(0.1) ? 40 : 3));
        this.#database.insert(transaction, `k${this.#random.below(this.#plan.keys)}`);
      }
      if (this.#random.chance(0.15)) {
        this.#database.rollback(transaction);
        continue;
      }
      if (this.#writing && this.#random.chance(this.#plan.refusals)) {
        const refused = transaction.rows[this.#random.below(transaction.rows.length)];
        if (refused !== undefined) this.#broker.refused.add(refused.id);
      }
      const late = this.#random.chance(this.#plan.lateVisibility) ? this.#random.below(30) : this.#random.below(2);
      await this.#database.commit(transaction, late);
      await pause(this.#random.below(4));
    }
  }

  #verdict(): Omit<Verdict, 'streaming'> {
    const stored = new Set(this.#broker.stored.map(({ id }) => id));
    const committed = new Set(this.#database.committed.map(({ id }) => id));
    const seen = new Map<string, number>();
    const disorder: string[] = [];
    const duplicates: string[] = [];
    const { crashes, broker } = this.#plan;
    const excused = crashes > 0 || broker.sessionFails > 0;
    const first = new Set<string>();
    for (const { id, key, version } of this.#broker.stored) {
      if (first.has(id) && !excused) duplicates.push(id);
      if (first.has(id)) continue;
      first.add(id);
      const before = seen.get(key) ?? 0;
      if (version !== before + 1) disorder.push(`${key}: ${version} after ${before}`);
      seen.set(key, version);
    }
    return {
      missing: [...committed].filter((id) => !stored.has(id)),
      phantoms: [...stored].filter((id) => !committed.has(id)),
      disorder,
      duplicates,
      leftInTable: this.#database.size,
      stragglers: this.#stragglers,
    };
  }
}

const LAYOUT = columnLayout(['aggregateid', 'version']);

const ROUTER: Router = {
  route: (row: OutboxRow) => ({ destination: 'd', row, message: toMessage(row), fault: null }),
  onError: () => 'park-key',
  deadLetter: () => null,
};

function toMessage(row: OutboxRow): OutgoingMessage {
  return {
    row,
    address: { kind: 'topic', topic: 't' },
    key: row.values[LAYOUT.indexOf('aggregateid')]?.toString() ?? null,
    body: null,
    type: null,
    contentType: 'text/plain',
    headers: [],
    route: 0,
    bytes: 1,
  };
}

/** Tells nobody, but for stragglers. */
export function noTelemetry(onStraggler: () => void = () => undefined): RelayTelemetry {
  const nothing = (): void => undefined;
  const destination: DestinationTelemetry = {
    transition: nothing,
    opened: nothing,
    openFailed: nothing,
    acknowledged: nothing,
    retrying: nothing,
    forgotten: nothing,
    setAside: nothing,
    deadLetterFailed: nothing,
    passEnded: nothing,
    skipped: nothing,
    failed: nothing,
  };
  return {
    destination: () => destination,
    settling: { deleted: nothing, notYetVisible: nothing, missing: nothing, failed: nothing },
    streamOpened: nothing,
    streamEnded: nothing,
    streamClosed: nothing,
    streamUnavailable: nothing,
    streamed: nothing,
    stragglers: onStraggler,
    failed: nothing,
  };
}
