import { columnLayout } from '../../../src/core/row.ts';
import type { OutgoingMessage } from '../../../src/core/message.ts';
import { RelayError } from '../../../src/core/errors.ts';
import type { OnError, Routed, Router } from '../../../src/core/routing.ts';
import type { OutboxRow } from '../../../src/core/row.ts';
import { Relay, type RelayOptions } from '../../../src/relay/relay.ts';
import type { DestinationTelemetry, RelayTelemetry } from '../../../src/relay/telemetry.ts';
import { NO_BROKER_FAULTS, SimulatedBroker, type BrokerFaults, type Stored } from './broker.ts';
import { SimulatedDatabase } from './database.ts';
import { pause, Random } from './random.ts';
import { NO_DATABASE_FAULTS, type DatabaseFaults } from './rows.ts';

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
  /** Share of transactions of which a row is refused by the broker until the quiet end. */
  readonly refusals: number;
  /** Share of transactions of which a row cannot become a message until the quiet end. */
  readonly faultyRows: number;
  /** What is done with those. */
  readonly onError: Exclude<OnError, 'halt'>;
  /** Share of rows that have no key. */
  readonly keyless: number;
  /** Between which the keys are divided; faults hit the first one's broker only. */
  readonly destinations: 1 | 2;
  /** Whether the database leaves out the keys behind parked rows, or the relay has to. */
  readonly keysInSql: boolean;
  /** Relays end by stopping, not by a crash. */
  readonly orderly: boolean;
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

const OPTIONS: Omit<RelayOptions, 'memoryBytes'> = {
  pass: { rows: 7, timeMs: 60_000 },
  pollIntervalMs: 5,
  handoverRows: 4,
  streamAllowed: true,
  undeletedRows: 12,
  keepsPublished: false,
  stream: { retryMs: 20, stallMs: 50 },
  auditIntervalMs: 40,
  parkedIntervalMs: 15,
};

/** Runs the real relay against a simulated database and broker, under writers and faults, in fake time. */
export class History {
  readonly #plan: HistoryPlan;
  readonly #random: Random;
  readonly #database: SimulatedDatabase;
  readonly #brokers: ReadonlyMap<string, SimulatedBroker>;
  /** Ids of rows that cannot become a message. */
  readonly #faulty = new Set<string>();
  #relay: Relay | null = null;
  #stragglers = 0;
  #writing = true;

  constructor(plan: HistoryPlan) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
    const routing = { keysInSql: plan.keysInSql, destinationOf: ({ key }: Keyed) => this.#destinationOf(key) };
    this.#database = new SimulatedDatabase(new Random(plan.seed + 1), routing, plan.database);
    this.#brokers = new Map(
      NAMES.slice(0, plan.destinations).map((name, index) => [
        name,
        new SimulatedBroker(new Random(plan.seed + 2 + index), index === 0 ? plan.broker : NO_BROKER_FAULTS),
      ]),
    );
  }

  /** To be awaited while somebody advances the fake clock. */
  async run(): Promise<Verdict> {
    const relays = this.#keepRelaying();
    const writers = Promise.all(Array.from({ length: 4 }, () => this.#write(Math.ceil(this.#plan.transactions / 4))));
    await writers;
    this.#database.faults = NO_DATABASE_FAULTS;
    for (const broker of this.#brokers.values()) {
      broker.faults = NO_BROKER_FAULTS;
      broker.refused.clear();
    }
    this.#faulty.clear();
    this.#writing = false;
    await relays;
    // quiet, with a few rows that can only come by the stream: restarts would hide what got stuck
    for (let round = 0; round < 400 && !this.#isQuiet(); round++) {
      // again and again: a mark may still be on its way to the table
      this.#database.retryAll();
      await pause(50);
    }
    const streaming = this.#isQuiet();
    await this.#write(3);
    for (let round = 0; round < 40 && this.#database.size > 0; round++) await pause(5);
    const verdict = { ...this.#verdict(), streaming };
    await this.#relay?.abort();
    return verdict;
  }

  #isQuiet(): boolean {
    const destinations = this.#relay?.destinations ?? [];
    return this.#database.size === 0 && destinations.every(({ state }) => state.name === 'streaming');
  }

  async #keepRelaying(): Promise<void> {
    this.#relay = this.#newRelay();
    await this.#relay.start();
    for (let crashed = 0; crashed < this.#plan.crashes; crashed++) {
      await pause(20 + this.#random.below(100));
      if (!this.#writing) return;
      if (this.#plan.orderly) await this.#relay.stop(50, new AbortController().signal);
      else await this.#relay.abort();
      this.#relay = this.#newRelay();
      await this.#relay.start();
    }
  }

  #newRelay(): Relay {
    return new Relay(
      {
        destinations: [...this.#brokers].map(([name, publisher]) => {
          return { name, publisher, reader: this.#database.reader(), onSession: () => undefined };
        }),
        streamSource: this.#database,
        router: this.#router(),
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
        const keyless = this.#random.chance(this.#plan.keyless);
        this.#database.insert(transaction, keyless ? null : `k${this.#random.below(this.#plan.keys)}`);
      }
      if (this.#random.chance(0.15)) {
        this.#database.rollback(transaction);
        continue;
      }
      if (this.#writing) {
        const refused = this.#oneOf(transaction.rows, this.#plan.refusals);
        if (refused !== null) this.#brokers.get(this.#destinationOf(refused.key))?.refused.add(refused.id);
        const faulty = this.#oneOf(transaction.rows, this.#plan.faultyRows);
        if (faulty !== null) this.#faulty.add(faulty.id);
      }
      const late = this.#random.chance(this.#plan.lateVisibility) ? this.#random.below(30) : this.#random.below(2);
      await this.#database.commit(transaction, late);
      await pause(this.#random.below(4));
    }
  }

  #oneOf<T>(items: readonly T[], probability: number): T | null {
    return this.#random.chance(probability) ? (items[this.#random.below(items.length)] ?? null) : null;
  }

  #destinationOf(key: string | null): string {
    return NAMES[key === null ? 0 : Number(key.slice(1)) % this.#plan.destinations] ?? NAMES[0];
  }

  #router(): Router {
    return {
      route: (row) => this.#route(row),
      onError: () => this.#plan.onError,
      deadLetter: ({ row }) => (this.#plan.onError === 'dead-letter' ? toMessage(row) : null),
    };
  }

  #route(row: OutboxRow): Routed {
    const message = toMessage(row);
    const destination = this.#destinationOf(message.key);
    if (!this.#faulty.has(row.id)) return { destination, row, message, fault: null };
    const fault = new RelayError('route_headers', 'simulated');
    return { destination, row, message: null, fault, key: message.key, route: 0 };
  }

  #verdict(): Omit<Verdict, 'streaming'> {
    const brokers = [...this.#brokers.values()];
    const published = brokers.flatMap((broker) => broker.stored);
    const dead = new Set(brokers.flatMap((broker) => [...broker.deadLetters]));
    const stored = new Set([...published.map(({ id }) => id), ...dead]);
    const committed = new Set(this.#database.committed.map(({ id }) => id));
    return {
      missing: [...committed].filter((id) => !stored.has(id)),
      phantoms: [...stored].filter((id) => !committed.has(id)),
      disorder: this.#disorder(published, dead),
      duplicates: this.#duplicates(published),
      leftInTable: this.#database.size,
      stragglers: this.#stragglers,
    };
  }

  #duplicates(published: readonly Stored[]): readonly string[] {
    const { crashes, broker } = this.#plan;
    if (crashes > 0 || broker.sessionFails > 0) return [];
    const seen = new Set<string>();
    return published.flatMap(({ id }) => (seen.has(id) ? [id] : (seen.add(id), [])));
  }

  /** First publications that do not follow their key's last; a dead letter's place may stay empty. */
  #disorder(published: readonly Stored[], dead: ReadonlySet<string>): readonly string[] {
    const rows = new Map(this.#database.committed.map((row) => [`${row.key}/${row.version}`, row.id]));
    const last = new Map<string, number>();
    const seen = new Set<string>();
    const disorder: string[] = [];
    for (const { id, key, version } of published) {
      if (key === null || seen.has(id)) continue;
      seen.add(id);
      let expected = (last.get(key) ?? 0) + 1;
      while (expected < version && dead.has(rows.get(`${key}/${expected}`) ?? '')) expected++;
      if (version !== expected && !dead.has(id)) disorder.push(`${key}: ${version} instead of ${expected}`);
      last.set(key, Math.max(version, last.get(key) ?? 0));
    }
    return disorder;
  }
}

interface Keyed {
  readonly key: string | null;
}

const NAMES = ['first', 'second'] as const;
const LAYOUT = columnLayout(['aggregateid', 'version']);

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
