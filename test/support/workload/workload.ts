import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TableName } from '../../../src/postgres/identifier.ts';
import { until } from '../services/until.ts';
import { pause, Random } from '../simulation/random.ts';
import { DEFAULT_MIX, type Mix, TRANSACTION_KINDS, type TransactionKindName } from './kinds.ts';
import { createWorkloadTables, workloadTables, type WorkloadTables } from './tables.ts';
import { Transaction, type WrittenEvent } from './transaction.ts';

/** What a workload is made of. */
export interface WorkloadOptions {
  /** Of the database, as a role that may write the outbox and create tables beside it. */
  readonly url: string;
  readonly outbox: TableName;
  /** What each writer does follows from it; how they interleave does not. */
  readonly seed: number;
  /** @default 5 */
  readonly writers?: number;
  /** Values of `aggregatetype`. @default ['order'] */
  readonly types?: readonly string[];
  /** Of each type. The first two are hot. @default 40 */
  readonly keys?: number;
  /** Mean pause of a writer between two transactions, in milliseconds. @default 8 */
  readonly pauseMs?: number;
  /** Mean size of payloads. @default 60 */
  readonly paddingBytes?: number;
  /** Prepared transactions are left out where the server has none. */
  readonly mix?: Mix;
  /** A failover may take back what was committed; else that is an error. @default false */
  readonly mayLose?: boolean;
}

/** What a workload wrote, known when it has ended. */
export interface Written {
  readonly committed: readonly WrittenEvent[];
  /** Ids of events that were rolled back. */
  readonly rolledBack: ReadonlySet<string>;
  /** Ids of events that a failover took back, or may have: known only where that may happen. */
  readonly takenBack: ReadonlySet<string>;
  /** How many of those were known to be committed. */
  readonly lost: number;
  /** How many transactions of each kind were committed. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** Makes the tables and sets the writers to work. */
export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const { types = ['order'], keys = 40 } = options;
  const tables = workloadTables(options.outbox);
  const names = types.flatMap((type) =>
    Array.from({ length: keys }, (_, n) => `${type}-${String(n).padStart(3, '0')}`),
  );
  const client = await connect(options.url);
  try {
    await createWorkloadTables(client, tables, names);
    const { rows } = await client.query<{ max: number }>(
      `SELECT current_setting('max_prepared_transactions')::int AS max`,
    );
    const mix = { ...DEFAULT_MIX, ...options.mix };
    return new Workload(options, tables, names, rows[0]!.max > 0 ? mix : { ...mix, prepared: 0 });
  } finally {
    await client.end();
  }
}

/** Concurrent writers on an outbox. They go on through lost connections and restarts of the server, until stopped. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #tables: WorkloadTables;
  readonly #keys: readonly string[];
  readonly #hot: readonly string[];
  readonly #kinds: readonly TransactionKindName[];
  /** What prepared transactions are named after. */
  readonly #name = `workload_${randomBytes(4).toString('hex')}`;
  readonly #writers: Promise<void>;
  readonly #durable = new Set<string>();
  readonly #rolledBack = new Set<string>();
  /** Events of transactions that were not rolled back, as far as is known. */
  readonly #attempted = new Set<string>();
  readonly #count: Partial<Record<TransactionKindName, number>> = {};
  #committed = 0;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #stopping = false;

  constructor(options: WorkloadOptions, tables: WorkloadTables, keys: readonly string[], mix: Mix) {
    this.#options = options;
    this.#tables = tables;
    this.#keys = keys;
    const perType = keys.length / (options.types?.length ?? 1);
    this.#hot = keys.filter((_, index) => index % perType < 2);
    this.#kinds = (Object.keys(mix) as TransactionKindName[]).flatMap((kind) =>
      Array.from({ length: mix[kind] ?? 0 }, () => kind),
    );
    const writers = Array.from({ length: options.writers ?? 5 }, (_, index) => this.#write(index));
    this.#writers = Promise.all(writers).then(() => undefined);
    // Told by stop().
    this.#writers.catch(() => undefined);
  }

  /** Events of transactions that are known to be committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Resolves when `count` more events have been committed than by now, or the workload ends. */
  async progress(count: number): Promise<void> {
    const wanted = this.#committed + count;
    const reached = new Promise<void>((resolve) => this.#waiting.push({ count: wanted, resolve }));
    await Promise.race([reached, this.#writers]);
  }

  /** Lets the running transactions end and tells what was written: events whose fate nobody knows are looked up. */
  async stop(): Promise<Written> {
    this.#stopping = true;
    await this.#writers;
    const client = await connect(this.#options.url);
    try {
      await this.#finishPrepared(client, this.#name);
      const { rows: committed } = await client.query<WrittenEvent>(
        `SELECT id::text, key, version FROM ${this.#tables.ledger}`,
      );
      const known = new Set(committed.map(({ id }) => id));
      const lost = [...this.#durable].filter((id) => !known.has(id));
      const risen = [...this.#rolledBack].filter((id) => known.has(id));
      if (this.#options.mayLose !== true) {
        if (lost.length > 0) throw new Error(`Postgres lost ${lost.length} committed events, such as ${lost[0]}`);
        if (risen.length > 0) throw new Error(`${risen.length} events rolled back are there, such as ${risen[0]}`);
      }
      const takenBack = this.#options.mayLose === true ? [...this.#attempted].filter((id) => !known.has(id)) : [];
      return {
        committed,
        rolledBack: this.#rolledBack,
        takenBack: new Set(takenBack),
        lost: lost.length,
        kinds: this.#count,
      };
    } finally {
      await client.end();
    }
  }

  async #write(index: number): Promise<void> {
    const random = new Random(this.#options.seed * 1000 + index);
    const own = `${this.#name}_${index}`;
    let client: pg.Client | null = null;
    for (let turn = 0; !this.#stopping; turn++) {
      client ??= await this.#reconnect(own);
      if (!(await this.#transact(client, random, `${own}_${turn}`))) {
        await client.end().catch(() => undefined);
        client = null;
      }
      await pause(random.below(2 * (this.#options.pauseMs ?? 8) + 1));
    }
    await client?.end().catch(() => undefined);
  }

  /** One transaction. Returns whether the connection can be used further. */
  async #transact(client: pg.Client, random: Random, name: string): Promise<boolean> {
    const transaction = new Transaction(client, this.#tables, random, this.#options.paddingBytes ?? 60);
    const kind = this.#kinds[random.below(this.#kinds.length)]!;
    let usable = true;
    try {
      await TRANSACTION_KINDS[kind](transaction, (count) => this.#chooseKeys(random, count), name);
    } catch (error) {
      // A deadlock, a lock timeout: the writer goes on. Anything else may have broken the connection.
      usable = error instanceof pg.DatabaseError && error.code?.startsWith('40') === true;
      if (!usable && !isDisconnection(error)) throw error;
      if (usable) usable = await rollBack(client);
    }
    this.#note(kind, transaction);
    return usable;
  }

  #chooseKeys(random: Random, count: number): string[] {
    const chosen = Array.from({ length: count }, () => {
      const among = random.chance(0.25) ? this.#hot : this.#keys;
      return among[random.below(among.length)]!;
    });
    return chosen.sort();
  }

  #note(kind: TransactionKindName, { outcome, events, undone }: Transaction): void {
    const rolledBack = outcome === 'rolled-back' ? [...events, ...undone] : undone;
    for (const { id } of rolledBack) this.#rolledBack.add(id);
    if (outcome !== 'rolled-back') for (const { id } of events) this.#attempted.add(id);
    if (outcome === 'committed') for (const { id } of events) this.#durable.add(id);
    if (outcome !== 'committed' && outcome !== 'committed-async') return;
    this.#count[kind] = (this.#count[kind] ?? 0) + 1;
    this.#committed += events.length;
    for (const { count, resolve } of this.#waiting) if (this.#committed >= count) resolve();
    this.#waiting = this.#waiting.filter(({ count }) => this.#committed < count);
  }

  /** A prepared transaction that a crash has left holds its locks until somebody ends it. */
  #reconnect(own: string): Promise<pg.Client> {
    const attempt = async (): Promise<pg.Client> => {
      const client = await connect(this.#options.url);
      try {
        await this.#finishPrepared(client, own);
        return client;
      } catch (error) {
        await client.end().catch(() => undefined);
        throw error;
      }
    };
    return until(attempt, { what: 'a connection for a writer', timeoutMs: 60_000 });
  }

  async #finishPrepared(client: pg.Client, prefix: string): Promise<void> {
    const { rows } = await client.query<{ gid: string }>(
      'SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)',
      [`${prefix}_`],
    );
    for (const { gid } of rows) await client.query(`COMMIT PREPARED '${gid}'`);
  }
}

/** Returns whether the connection can be used further. */
async function rollBack(client: pg.Client): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}

/** Whether the server ended the session, or the connection was lost. */
function isDisconnection(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(57|08)/.test(error.code ?? '');
  return error instanceof Error;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
