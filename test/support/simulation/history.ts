import type { ParkedMark } from '../../../src/core/store.ts';
import { SimulatedBroker } from './broker.ts';
import { Stuck, VirtualClock } from './clock.ts';
import { SimulatedDatabase } from './database.ts';
import { Gate, type Trigger } from './gate.ts';
import {
  NO_BROKER_FAULTS,
  NO_DATABASE_FAULTS,
  type DatabaseFaults,
  type Disaster,
  type HistoryPlan,
  type ReaderRule,
  type RelayEnd,
} from './plan.ts';
import { pause, Random } from './random.ts';
import { RelayProcess } from './relay-process.ts';
import type { Transaction } from './rows.ts';
import { SimulatedSessions, type SimulatedRouting } from './sessions.ts';
import { Truth, type Verdict } from './truth.ts';

const WRITERS = 4;
/** Longer than anything takes that is still to come, such as the longest back-off. */
const DAYS_MS = 3_000;
const DESTINATIONS = ['first', 'second'] as const;

/**
 * Plays one history: the real relay between a simulated database and simulated brokers, under writers and faults, in
 * virtual time. The same plan gives the same history.
 *
 * @param broken a rule that the simulated readers are to break
 */
export async function play(plan: HistoryPlan, broken: ReaderRule | null = null): Promise<Verdict> {
  const jitter = new Random(plan.seed + 10);
  const history = new History(plan, broken);
  try {
    return await new VirtualClock(() => jitter.next()).drive(() => history.run());
  } catch (error) {
    if (error instanceof Stuck) return history.verdict(error.message);
    throw error;
  }
}

class History {
  readonly #plan: HistoryPlan;
  readonly #broken: ReaderRule | null;
  readonly #random: Random;
  readonly #truth = new Truth();
  readonly #database: SimulatedDatabase;
  readonly #routing: SimulatedRouting;
  readonly #brokers: ReadonlyMap<string, SimulatedBroker>;
  readonly #marks = new Map<string, ParkedMark>();
  /** Ids of rows that cannot become a message. */
  readonly #faulty = new Set<string>();
  #faults: DatabaseFaults;
  #process: RelayProcess | null = null;
  #stragglers = 0;
  #writing = true;

  constructor(plan: HistoryPlan, broken: ReaderRule | null) {
    this.#plan = plan;
    this.#broken = broken;
    this.#random = new Random(plan.seed);
    this.#faults = plan.database;
    this.#database = new SimulatedDatabase(new Random(plan.seed + 1), this.#truth);
    const destinationOf = ({ key }: { key: string | null }): string =>
      DESTINATIONS[key === null ? 0 : Number(key.slice(1)) % plan.destinations] ?? DESTINATIONS[0];
    this.#routing = { destinationOf, keysInSql: plan.keysInSql };
    this.#brokers = new Map(
      DESTINATIONS.slice(0, plan.destinations).map((name, index) => [
        name,
        new SimulatedBroker(new Random(plan.seed + 2 + index), index === 0 ? plan.broker : NO_BROKER_FAULTS),
      ]),
    );
  }

  async run(): Promise<Verdict> {
    const written = this.#writeAll();
    const relaying = this.#relayUntil(written);
    const disasters = this.#disasters();
    await Promise.all([written, disasters]);
    this.#calm();
    await relaying;
    if (!(await this.#comesToRest())) return this.verdict('not all is published and streaming');
    return this.verdict((await this.#streamsOn()) ? null : 'rows that were written in the end are not published');
  }

  /** Nothing goes wrong any more. */
  #calm(): void {
    this.#writing = false;
    this.#faults = NO_DATABASE_FAULTS;
    this.#database.publishes = true;
    for (const broker of this.#brokers.values()) {
      broker.faults = NO_BROKER_FAULTS;
      broker.refused.clear();
    }
    this.#faulty.clear();
  }

  // ---- relays ----

  /** One relay after the other, each ended as planned; the last one, or that which leads when all is written, goes on. */
  async #relayUntil(written: Promise<void>): Promise<void> {
    for (const end of this.#plan.ends) {
      const process = await this.#relayWithEnd(end, written);
      if (process !== null) return;
    }
    await this.#startRelay(null).started;
  }

  /** Resolves when the relay has come to its end and another one may begin; or with it, if it has been spared. */
  async #relayWithEnd(end: RelayEnd, written: Promise<void>): Promise<RelayProcess | null> {
    const fate = { over: false };
    const reached = new Promise<void>((resolve) => {
      this.#startRelay({
        crossing: end.crossing,
        action: (gate) => {
          fate.over = true;
          if (end.kind === 'kill') gate.close();
          if (end.kind === 'freeze') gate.freeze();
          resolve();
        },
      });
    });
    const process = this.#process;
    await Promise.race([reached, written]);
    process?.gate.disarm();
    if (!fate.over || process === null) return process;
    if (end.kind === 'stop') await process.stop();
    process.gate.depose();
    if (end.kind === 'freeze') void this.#goesOnLater(process);
    return null;
  }

  #startRelay(trigger: Trigger | null): { process: RelayProcess; started: Promise<void> } {
    const gate = new Gate(trigger);
    const parts = {
      database: this.#database,
      gate,
      marks: this.#marks,
      routing: this.#routing,
      faults: () => this.#faults,
    };
    const process = new RelayProcess({
      gate,
      sessions: (left) => new SimulatedSessions(parts, this.#broken, left),
      brokers: this.#brokers,
      faulty: this.#faulty,
      onError: this.#plan.onError,
      memoryBytes: this.#plan.memoryRows,
      onlyVisible: this.#plan.onlyVisible,
      audits: this.#plan.audits || this.#plan.disasters.includes('hole'),
      onStragglers: (rows) => (this.#stragglers += Math.max(0, rows - this.#database.hiddenRows)),
    });
    this.#process = process;
    return { process, started: process.start() };
  }

  /** A relay that was stopped while another one came to lead: what it was about to send still leaves. */
  async #goesOnLater({ gate }: RelayProcess): Promise<void> {
    await pause(this.#random.below(100));
    gate.thaw();
    await pause(this.#random.below(100));
    gate.close();
  }

  // ---- writers, operators, disasters ----

  async #writeAll(): Promise<void> {
    const share = Math.ceil(this.#plan.transactions / WRITERS);
    await Promise.all(Array.from({ length: WRITERS }, () => this.#write(share)));
  }

  async #write(transactions: number): Promise<void> {
    for (let count = 0; count < transactions; count++) {
      await this.#writeOne();
      await pause(this.#random.below(4));
    }
  }

  async #writeOne(): Promise<void> {
    const { habits, keys } = this.#plan;
    const random = this.#random;
    const transaction = this.#database.begin();
    const rows = 1 + random.below(random.chance(0.1) ? 20 : 3);
    for (let row = 0; row < rows; row++) {
      if (random.chance(0.3)) await pause(random.below(random.chance(0.1) ? 40 : 3));
      await this.#database.insert(transaction, random.chance(habits.keyless) ? null : `k${random.below(keys)}`);
    }
    if (random.chance(habits.prepared)) await pause(random.below(200));
    if (random.chance(0.15)) {
      this.#database.rollback(transaction);
      return;
    }
    this.#spoil(transaction);
    const standbyMs = random.chance(habits.late) ? random.below(30) : 0;
    await this.#database.commit(transaction, { asynchronous: random.chance(habits.asynchronous), standbyMs });
  }

  /** Some of its rows will be refused. */
  #spoil({ rows }: Transaction): void {
    if (!this.#writing) return;
    const { refused, faulty } = this.#plan.habits;
    const toRefuse = this.#random.chance(refused) ? this.#random.oneOf(rows) : undefined;
    if (toRefuse !== undefined) this.#brokers.get(this.#routing.destinationOf(toRefuse))?.refused.add(toRefuse.id);
    const toSpoil = this.#random.chance(faulty) ? this.#random.oneOf(rows) : undefined;
    if (toSpoil !== undefined) this.#faulty.add(toSpoil.id);
  }

  async #disasters(): Promise<void> {
    for (const disaster of this.#plan.disasters) {
      await pause(this.#random.next() * 100);
      if (this.#writing) await this.#strike(disaster);
    }
  }

  async #strike(disaster: Disaster): Promise<void> {
    switch (disaster) {
      case 'crash':
        this.#database.crash(this.#random.below(30));
        void this.#leaderLosesServer();
        break;
      case 'failover':
        this.#database.failOver(this.#random.below(30));
        void this.#leaderLosesServer();
        break;
      case 'rewrite':
      case 'truncate':
        await this.#database.rewrite(disaster === 'truncate');
        break;
      case 'hole':
        this.#database.publishes = false;
        await pause(this.#random.below(40));
        this.#database.publishes = true;
        break;
    }
  }

  /** The leader's session was there. Another one may find out before. */
  async #leaderLosesServer(): Promise<void> {
    const process = this.#process;
    await pause(this.#random.below(60));
    await process?.loseServer();
  }

  // ---- the end ----

  /** Again and again, parked rows are tried: a mark may still be on its way to the table. */
  async #comesToRest(): Promise<boolean> {
    for (let round = 0; round < 1_000; round++) {
      if (this.#database.table.size === 0 && this.#process?.resting === true) return true;
      this.#marks.clear();
      await pause(50);
    }
    return false;
  }

  /**
   * Days later a few rows are written that can only come by the stream: restarts and passes hide what is stuck. Then,
   * where the publication has holes, some that it leaves out, which only the audit can find.
   */
  async #streamsOn(): Promise<boolean> {
    await pause(DAYS_MS);
    this.#database.age();
    await this.#write(3);
    if (this.#plan.disasters.includes('hole')) {
      if (!(await this.#isEmptied())) return false;
      this.#database.publishes = false;
      await this.#write(3);
      this.#database.publishes = true;
    }
    return this.#isEmptied();
  }

  async #isEmptied(): Promise<boolean> {
    for (let round = 0; round < 100; round++) {
      if (this.#database.table.size === 0) return true;
      await pause(10);
    }
    return false;
  }

  verdict(stuck: string | null): Verdict {
    const { ends, broker, disasters } = this.#plan;
    const brokers = [...this.#brokers.values()];
    const published = brokers.flatMap(({ stored }) => stored);
    const dead = new Set(brokers.flatMap(({ deadLetters }) => [...deadLetters]));
    const judged = this.#truth.judge(published, dead);
    const mayRepeat =
      ends.length > 0 || broker.sessionFails > 0 || disasters.some((each) => each === 'crash' || each === 'failover');
    return {
      ...judged,
      duplicates: mayRepeat ? [] : judged.duplicates,
      leftInTable: this.#database.table.size,
      stragglers: this.#stragglers,
      stuck,
    };
  }
}
