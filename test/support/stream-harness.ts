/** What the tests of the log lane share: an outbox table, options, and a listener that can be waited for. */
import pg from 'pg';
import type { StreamedTransaction, StreamListener } from '../../src/core/capture.ts';
import type { RelayError } from '../../src/core/errors.ts';
import { type Lsn, parseLsn } from '../../src/core/lsn.ts';
import { columnLayout, type OutboxRow } from '../../src/core/row.ts';
import type { OutboxTable, TableColumn } from '../../src/core/table.ts';
import type { StreamOptions } from '../../src/capture/stream/stream-source.ts';

/** How a test's table differs from the default. */
export interface OutboxTableOptions {
  readonly schema?: string;
  readonly name?: string;
  readonly position?: TableColumn;
  readonly id?: TableColumn;
  readonly reads?: readonly TableColumn[];
}

const DEFAULT_READS: readonly TableColumn[] = [
  { name: 'aggregatetype', type: 'text' },
  { name: 'aggregateid', type: 'text' },
  { name: 'type', type: 'text' },
  { name: 'payload', type: 'jsonb' },
  { name: 'headers', type: 'jsonb' },
];

/** The default outbox table, or one with other columns. */
export function outboxTable(options: OutboxTableOptions = {}): OutboxTable {
  const reads = options.reads ?? DEFAULT_READS;
  return {
    schema: options.schema ?? 'public',
    name: options.name ?? 'outbox',
    position: options.position ?? { name: 'position', type: 'bigint' },
    id: options.id ?? { name: 'id', type: 'uuid' },
    createdAt: null,
    reads,
    layout: columnLayout(reads.map(({ name }) => name)),
  };
}

/** Creates the default table and its publication. */
export const CREATE_OUTBOX = `
  CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL,
    payload jsonb, headers jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE PUBLICATION outbox_relay FOR TABLE outbox WITH (publish = 'insert', publish_via_partition_root = true);`;

/** Inserts `count` rows in one statement, their aggregate ids numbered from 1. */
export function insertRows(count: number): string {
  return `INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'order', n::text, 'created', jsonb_build_object('n', n) FROM generate_series(1, ${count}) n`;
}

/** Options for a stream from a database, with bounds that no test meets by accident. */
export function streamOptions(url: string, overrides: Partial<StreamOptions> = {}): StreamOptions {
  const { hostname, port, pathname, username } = new URL(url);
  return {
    postgres: {
      hosts: [{ host: hostname, port: Number(port) }],
      database: decodeURIComponent(pathname.slice(1)),
      user: username,
      password: null,
      tls: null,
      connectTimeoutMs: 10_000,
      applicationName: 'stream-test',
    },
    table: outboxTable(),
    publication: 'outbox_relay',
    slotPrefix: 'stream_test',
    shard: null,
    slotTimeoutMs: 20_000,
    walBudgetBytes: 2 ** 40,
    maxTransactionBytes: 2 ** 30,
    ...overrides,
  };
}

/** Connects as the superuser; the connection may break without breaking the test. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The log's insert position. */
export async function insertPosition(sql: pg.Client): Promise<Lsn> {
  const { rows } = await sql.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return parseLsn(rows[0]!.lsn);
}

/** The names of all slots of the server. */
export async function slotNames(sql: pg.Client): Promise<readonly string[]> {
  const { rows } = await sql.query<{ slot_name: string }>('SELECT slot_name FROM pg_replication_slots ORDER BY 1');
  return rows.map((row) => row.slot_name);
}

/** Remembers what a stream tells, checks what must always hold, and wakes those who wait for more. */
export class Recorder implements StreamListener {
  readonly transactions: StreamedTransaction[] = [];
  readonly rows: OutboxRow[] = [];
  error: RelayError | null = null;
  reached: Lsn = 0n;
  /** What was told against the contract. */
  readonly breaches: string[] = [];
  #waiting: { readonly met: () => boolean; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    [];

  transaction(transaction: StreamedTransaction): void {
    if (transaction.rows.length === 0) this.breaches.push('an empty transaction');
    if (transaction.commitLsn < this.reached) this.breaches.push('a transaction below the progress already told');
    this.transactions.push(transaction);
    for (const row of transaction.rows) this.rows.push(row);
    this.#wake();
  }

  progress(lsn: Lsn): void {
    if (lsn <= this.reached) this.breaches.push('progress that does not advance');
    this.reached = lsn;
    this.#wake();
  }

  ended(error: RelayError): void {
    if (this.error !== null) this.breaches.push('ended twice');
    this.error = error;
    this.#wake();
  }

  /** Waits for rows; rejects when the stream ends before. */
  untilRows(count: number): Promise<void> {
    return this.#until(() => this.rows.length >= count);
  }

  /** Waits until everything that committed below `lsn` has been told. */
  untilReached(lsn: Lsn): Promise<void> {
    return this.#until(() => this.reached >= lsn);
  }

  async untilEnded(): Promise<RelayError> {
    await this.#until(() => this.error !== null);
    return this.error!;
  }

  /** The text of a column in every row. */
  texts(table: OutboxTable, column: string): (string | null)[] {
    const index = table.layout.indexOf(column);
    return this.rows.map((row) => row.values[index]?.toString() ?? null);
  }

  #until(met: () => boolean): Promise<void> {
    if (met()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ met, resolve, reject }));
  }

  #wake(): void {
    const before = this.#waiting;
    this.#waiting = before.filter(({ met }) => !met());
    for (const { met, resolve } of before) if (met()) resolve();
    if (this.error === null) return;
    for (const { reject } of this.#waiting) reject(new Error('the stream ended', { cause: this.error }));
    this.#waiting = [];
  }
}
