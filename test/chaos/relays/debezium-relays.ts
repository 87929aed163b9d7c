import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectAdmin } from '../../support/outbox.ts';
import { type ServiceProcess, spawnService } from '../../support/services/child-process.ts';
import { debeziumDistribution } from '../../support/services/debezium-distribution.ts';
import { until } from '../../support/services/until.ts';
import type { WrittenEvent } from '../../support/workload/transaction.ts';
import type { RelayGroup, Streaming } from './relay-group.ts';

const SETTLE_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 30_000;
/** Of the supervisor, before it starts what has ended by itself. */
const RESTART_PAUSE_MS = 1_000;
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** What a Debezium Server reads, and where it goes. */
export interface DebeziumPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Schema and name. */
  readonly table: string;
  readonly publication: string;
  /** Of its slot. */
  readonly name: string;
  /** Of the superuser, past what fails. */
  readonly adminUrl: string;
  readonly sink: Readonly<Record<string, string>>;
}

/** One Debezium Server in its usual set-up: outbox event router, permanent slot, rows stay in the table. */
export class DebeziumRelays implements RelayGroup {
  readonly offences: readonly string[] = [];
  readonly #place: DebeziumPlace;
  readonly #folder: string;
  #process: ServiceProcess | undefined;
  #restarts = 0;
  /** Whether its end is meant. */
  #ending = false;

  private constructor(place: DebeziumPlace, folder: string) {
    this.#place = place;
    this.#folder = folder;
  }

  /** Makes the slot, so that what is written from now on is in it. @param folder gets configuration, offsets and log */
  static async create(place: DebeziumPlace, folder: string): Promise<DebeziumRelays> {
    const config = join(folder, 'config');
    await mkdir(config);
    const lines = Object.entries(properties(place, folder)).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(config, 'application.properties'), lines.join(''));
    const relays = new DebeziumRelays(place, folder);
    await relays.#query(`SELECT pg_create_logical_replication_slot('${place.name}', 'pgoutput')`);
    return relays;
  }

  get restarts(): number {
    return this.#restarts;
  }

  async start(): Promise<void> {
    const { java, classPath } = await debeziumDistribution();
    const args = [...JVM, '-cp', `${classPath}:config`, 'io.debezium.server.Main'];
    const started = await spawnService(java, args, { logFile: join(this.#folder, 'debezium.log'), cwd: this.#folder });
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

/** An event as it was written: the peer's converter of headers puts its id in quotes. */
export function withPlainId(event: WrittenEvent): WrittenEvent {
  return { ...event, id: event.id.replaceAll('"', '') };
}

function properties(place: DebeziumPlace, folder: string): Record<string, string> {
  return {
    'debezium.source.connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'debezium.source.offset.storage.file.filename': join(folder, 'offsets.dat'),
    'debezium.source.offset.flush.interval.ms': '0',
    'debezium.source.database.hostname': place.host,
    'debezium.source.database.port': String(place.port),
    'debezium.source.database.user': place.user,
    'debezium.source.database.password': place.password,
    'debezium.source.database.dbname': place.database,
    'debezium.source.topic.prefix': 'chaos',
    'debezium.source.plugin.name': 'pgoutput',
    'debezium.source.slot.name': place.name,
    'debezium.source.publication.name': place.publication,
    'debezium.source.publication.autocreate.mode': 'disabled',
    'debezium.source.table.include.list': place.table,
    'debezium.source.snapshot.mode': 'no_data',
    'debezium.source.poll.interval.ms': '10',
    // so that rounds need not wait for the default of 10 s
    'debezium.source.retriable.restart.connector.wait.ms': '1000',
    'debezium.transforms': 'outbox',
    'debezium.transforms.outbox.type': 'io.debezium.transforms.outbox.EventRouter',
    'debezium.format.key': 'simplestring',
    'debezium.format.value': 'simplestring',
    'debezium.format.header': 'json',
    'debezium.format.header.schemas.enable': 'false',
    'quarkus.http.port': '0',
    ...place.sink,
  };
}
