/** What the tests of the table lane share: an outbox table with its marks, options, and ways to read passes. */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import type { PassRequest, TablePass } from '../../src/core/capture.ts';
import { columnLayout, type OutboxRow } from '../../src/core/row.ts';
import type { ParkedMark, PublishedRow } from '../../src/core/store.ts';
import type { OutboxTable, TableColumn } from '../../src/core/table.ts';
import type { PostgresOptions } from '../../src/postgres/connection.ts';
import { fillIn, SQL_FOLDER } from '../../src/postgres/migrate.ts';
import { until } from './services/until.ts';

const READS: readonly TableColumn[] = [
  { name: 'aggregatetype', type: 'text' },
  { name: 'aggregateid', type: 'text' },
  { name: 'type', type: 'text' },
  { name: 'payload', type: 'jsonb' },
  { name: 'headers', type: 'jsonb' },
];

/** The default outbox table, with other columns where they are given. */
export function outbox(overrides: Partial<Pick<OutboxTable, 'id' | 'createdAt' | 'reads'>> = {}): OutboxTable {
  const reads = overrides.reads ?? READS;
  return {
    schema: 'public',
    name: 'outbox',
    position: { name: 'position', type: 'bigint' },
    id: overrides.id ?? { name: 'id', type: 'uuid' },
    createdAt:
      overrides.createdAt === undefined
        ? { name: 'created_at', type: 'timestamp with time zone' }
        : overrides.createdAt,
    reads,
    layout: columnLayout(reads.map(({ name }) => name)),
  };
}

/** As `init` makes it. */
const PARKED = fillIn(readFileSync(new URL('003-parked.sql', SQL_FOLDER), 'utf8'), {
  parked: 'outbox_parked',
  parked_key_index: 'outbox_parked_key_idx',
});

const LEASE = fillIn(readFileSync(new URL('004-lease.sql', SQL_FOLDER), 'utf8'), { lease: 'outbox_lease' });

const PUBLISHED = fillIn(readFileSync(new URL('005-published.sql', SQL_FOLDER), 'utf8'), {
  published: 'outbox_published',
  published_at_index: 'outbox_published_at_idx',
});

/** Makes the tables anew, empty. */
export const RECREATE = `
  DROP TABLE IF EXISTS outbox, outbox_parked, outbox_lease, outbox_published CASCADE;
  CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL,
    payload jsonb, headers jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp());
  ${PARKED}
  ${LEASE}
  ${PUBLISHED}`;

/** An outbox table of other columns (`position` is always there), empty. */
export function recreateWith(columns: string): string {
  return `DROP TABLE IF EXISTS outbox, outbox_parked CASCADE;
    CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${columns});
    ${PARKED}`;
}

/** Inserts one row a key, in that order. */
export function insertKeys(...keys: readonly string[]): string {
  const rows = keys.map((key) => `('order', ${pg.escapeLiteral(key)}, 'created', '{}')`);
  return `INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ${rows.join(', ')}`;
}

/** Inserts `count` rows with keys `key-1`.. and payloads of about `bytes` bytes that do not compress. */
export function insertMany(count: number, bytes = 100): string {
  return `INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'order', 'key-' || n, 'created', to_jsonb((
      SELECT string_agg(md5(n::text || part::text), '') FROM generate_series(1, ${Math.ceil(bytes / 32)}) part))
    FROM generate_series(1, ${count}) n`;
}

/** Connection options for a database, as the configuration would give them. */
export function postgresOptions(url: string, overrides: Partial<PostgresOptions> = {}): PostgresOptions {
  const { hostname, port, pathname, username, password } = new URL(url);
  return {
    hosts: [{ host: hostname, port: Number(port || 5432) }],
    database: decodeURIComponent(pathname.slice(1)),
    user: decodeURIComponent(username),
    password: password === '' ? null : decodeURIComponent(password),
    tls: null,
    connectTimeoutMs: 10_000,
    applicationName: 'table-test',
    ...overrides,
  };
}

/** A plain session as the superuser; it may break without breaking the test. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** A request that no bound cuts short. */
export function request(overrides: Partial<PassRequest> = {}): PassRequest {
  return { destination: 'kafka', maxRows: 1_000_000, ...overrides };
}

/** Reads a pass to its end and closes it. */
export async function drain(pass: TablePass): Promise<OutboxRow[]> {
  const rows: OutboxRow[] = [];
  try {
    for await (const chunk of pass.rows()) rows.push(...chunk);
  } finally {
    await pass.close();
  }
  return rows;
}

/** The value of a column as text. */
export function text(row: OutboxRow, table: OutboxTable, column: string): string | null | undefined {
  return row.values[table.layout.indexOf(column)]?.toString() ?? null;
}

/** The message keys of rows, in order. */
export function keys(rows: readonly OutboxRow[]): (string | null | undefined)[] {
  return rows.map((row) => text(row, outbox(), 'aggregateid'));
}

/** What the relay gives back to be deleted; by default as rows that a pass has read. */
export function published(rows: readonly OutboxRow[], xid: number | null = null): PublishedRow[] {
  return rows.map(({ position, id }) => ({ position, id, xid }));
}

/** A mark of a row. */
export function mark(row: Pick<OutboxRow, 'position' | 'id'>, overrides: Partial<ParkedMark> = {}): ParkedMark {
  const { position, id } = row;
  return {
    position,
    id,
    destination: 'kafka',
    key: null,
    code: 'message_too_large',
    reason: 'too large',
    attempts: 1,
    ...overrides,
  };
}

/** Waits until the session with this role in its name waits for a lock. @param sql on the same database */
export function untilWaitingForLock(sql: pg.Client, role: string): Promise<true> {
  const waiting = `SELECT FROM pg_stat_activity WHERE application_name = $1
    AND datname = current_database() AND wait_event_type = 'Lock'`;
  return until(async () => (await sql.query(waiting, [`table-test ${role}`])).rowCount === 1, {
    what: `${role} to wait for a lock`,
  });
}
