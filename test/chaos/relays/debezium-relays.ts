import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { configureDebezium, debeziumCommand, type DebeziumPlace, plainId } from '../../support/debezium-server.ts';
import { connectAdmin } from '../../support/outbox.ts';
import { type ServiceProcess, spawnService } from '../../support/services/child-process.ts';
import { until } from '../../support/services/until.ts';
import type { WrittenEvent } from '../../support/workload/transaction.ts';
import type { RelayGroup, Streaming } from './relay-group.ts';

const SETTLE_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 30_000;
/** Of the supervisor, before it starts what has ended by itself. */
const RESTART_PAUSE_MS = 1_000;
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** What is changed so that a crash loses no offsets, and rounds need not wait for the default of 10 s. */
const PROPERTIES = { 'offset.flush.interval.ms': '0', 'retriable.restart.connector.wait.ms': '1000' };

/** What a Debezium Server reads, and where it goes. */
export interface SupervisedPlace extends DebeziumPlace {
  /** Of the superuser, past what fails. */
  readonly adminUrl: string;
}

/** One Debezium Server in its usual set-up: outbox event router, permanent slot, rows stay in the table. */
export class DebeziumRelays implements RelayGroup {
  readonly offences: readonly string[] = [];
  readonly #place: SupervisedPlace;
  readonly #folder: string;
  #process: ServiceProcess | undefined;
  #restarts = 0;
  /** Whether its end is meant. */
  #ending = false;

  private constructor(place: SupervisedPlace, folder: string) {
    this.#place = place;
    this.#folder = folder;
  }

  /** Makes the slot, so that what is written from now on is in it. @param folder gets configuration, offsets and log */
  static async create(place: SupervisedPlace, folder: string): Promise<DebeziumRelays> {
    await configureDebezium(place, folder, PROPERTIES);
    const relays = new DebeziumRelays(place, folder);
    await relays.#query(`SELECT pg_create_logical_replication_slot('${place.name}', 'pgoutput')`);
    return relays;
  }

  get restarts(): number {
    return this.#restarts;
  }

  async start(): Promise<void> {
    const { command, args } = await debeziumCommand(JVM);
    const logFile = join(this.#folder, 'debezium.log');
    const started = await spawnService(command, args, { logFile, cwd: this.#folder });
    this.#process = started;
    this.#ending = false;
    void started.exited.then(() => this.#supervise(started));
  }

  leader(): Promise<{ signal(name: NodeJS.Signals): void }> {
    return Promise.resolve({ signal: (name) => this.#process?.signal(name) });
  }

  async replaceLeader(signal: 'SIGKILL' | 'SIGTERM', afterMs: number): Promise<void> {
    await this.#end(signal);
    await delay(afterMs);
    await this.start();
  }

  killAll(): Promise<void> {
    return this.#end('SIGKILL');
  }

  startAgain(): Promise<void> {
    return this.start();
  }

  jumpClocks(): void {
    throw new Error('the clock of a peer cannot be shifted');
  }

  untilReading(): Promise<unknown> {
    return this.untilStreaming();
  }

  untilStreaming(): Promise<Streaming> {
    const ask = async (): Promise<Streaming | false> => {
      const slots = await this.#query<{ pid: number | null }>(
        `SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = '${this.#place.name}'`,
      );
      const pid = slots[0]?.pid ?? null;
      return pid !== null && { pid, since: 'unknown' };
    };
    return until(ask, { what: 'the slot to be read', timeoutMs: SETTLE_TIMEOUT_MS, everyMs: 200 });
  }

  async rescue(): Promise<boolean> {
    await this.replaceLeader('SIGTERM', 0);
    return true;
  }

  async stop(): Promise<string[]> {
    await this.#end('SIGTERM');
    return [];
  }

  /** Kills it and drops its slot, without which the database cannot be dropped. */
  async dispose(): Promise<void> {
    await this.#end('SIGKILL');
    const drop = `SELECT pg_drop_replication_slot('${this.#place.name}')`;
    await until(() => this.#query(drop).then(() => true), { what: 'the slot of the peer to be dropped' });
  }

  async #supervise(ended: ServiceProcess): Promise<void> {
    if (this.#ending) return;
    this.#restarts++;
    await delay(RESTART_PAUSE_MS);
    // meanwhile it may have been started, or stopped for good
    if (!this.#isEnding() && this.#process === ended) await this.start();
  }

  #isEnding(): boolean {
    return this.#ending;
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#ending = true;
    const running = this.#process;
    if (!running?.running) return;
    running.signal(signal);
    const late = new AbortController();
    const tooLate = delay(STOP_TIMEOUT_MS, undefined, { signal: late.signal }).then(
      () => running.killTree(),
      () => undefined,
    );
    await running.exited;
    late.abort();
    await tooLate;
  }

  async #query<Row extends object>(sql: string): Promise<Row[]> {
    const client = await connectAdmin(this.#place.adminUrl);
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** An event as it was written. */
export function withPlainId(event: WrittenEvent): WrittenEvent {
  return { ...event, id: plainId(event.id) };
}
