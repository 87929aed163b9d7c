/** Passes over the table: one snapshot, bounds, locks, back-pressure; beside each rule what a naive reader makes of it. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { copyStatement, passQuery } from '../../src/capture/table/select.ts';
import { PostgresTableReader } from '../../src/capture/table/reader.ts';
import type { TablePass } from '../../src/core/capture.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import { isVisible } from '../../src/core/snapshot.ts';
import { IN_ORDER_SETTINGS, NO_FILTERS, type RowFilters } from '../../src/postgres/unpublished-rows.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/table-harness.ts';

const never = new AbortController().signal;
const table = harness.outbox();

describeWithService('postgres', 'a pass over the table', () => {
  const database = freshDatabase();
  let sql: pg.Client;
  let other: pg.Client;
  let reader: PostgresTableReader;

  const readers: PostgresTableReader[] = [];
  const readerWith = (filters: RowFilters, lockTimeoutMs = 2_000): PostgresTableReader => {
    const postgres = harness.postgresOptions(database.url);
    readers.push(new PostgresTableReader({ postgres, table, filters, lockTimeoutMs }));
    return readers.at(-1)!;
  };
  const readBy = async (by: PostgresTableReader, request = harness.request()): Promise<(string | null | undefined)[]> =>
    harness.keys(await harness.drain(await by.open(request, never)));
  /** The backends of passes: what they wait for, and whether they hold the table's lock. */
  const passBackends = async (): Promise<{ pid: number; wait_event: string | null }[]> => {
    const { rows } = await sql.query<{ pid: number; wait_event: string | null }>(
      `SELECT pid, wait_event FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'table-test table'`,
    );
    return rows;
  };

  beforeAll(async () => {
    sql = await harness.connect(database.url);
    other = await harness.connect(database.url);
  });
  beforeEach(async () => {
    await sql.query(harness.RECREATE);
    reader = readerWith(NO_FILTERS);
  });
  afterEach(() => Promise.all(readers.splice(0).map((one) => one.close())));
  afterAll(() => Promise.all([sql.end(), other.end()]));

  test('reads the rows of its snapshot in order of position, with nulls and the time of creation', async () => {
    await sql.query(`INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers, created_at) VALUES
      ('order', 'b', 'created', '{"n": 12345678901234567890}', NULL, '2026-01-02 03:04:05.678+00'),
      ('order', 'ä', 'deleted', NULL, '{"x": "1"}', 'infinity')`);
    const ids = (await sql.query<{ id: string }>('SELECT id FROM outbox ORDER BY position')).rows.map(({ id }) => id);
    const pass = await reader.open(harness.request(), never);
    const rows = await harness.drain(pass);
    expect(rows.map(({ position, id, lane, xid, since }) => ({ position, id, lane, xid, since }))).toEqual([
      { position: 1n, id: ids[0], lane: 'table', xid: null, since: Date.UTC(2026, 0, 2, 3, 4, 5, 678) },
      { position: 2n, id: ids[1], lane: 'table', xid: null, since: Number.NaN },
    ]);
    expect(rows.map((row) => row.values.map((value) => value?.toString() ?? null))).toEqual([
      ['order', 'b', 'created', '{"n": 12345678901234567890}', null],
      ['order', 'ä', 'deleted', null, '{"x": "1"}'],
    ]);
    expect(pass.complete).toBe(true);
    expect(await readBy(reader, harness.request({ maxRows: 0 }))).toEqual([]);
  });

  /** A key's first event takes position 2 and is committed only when the reader has passed it. */
  async function lateCommit(read: () => Promise<void>): Promise<void> {
    await sql.query(harness.insertKeys('other'));
    await other.query('BEGIN');
    await other.query(harness.insertKeys('k'));
    await sql.query(harness.insertKeys('other'));
    await read();
    await other.query('COMMIT');
    await sql.query(harness.insertKeys('k'));
  }

  test('naive: pages of several snapshots publish a key out of order', async () => {
    const page = async (after: number): Promise<number[]> =>
      (
        await sql.query<{ position: string }>(
          `SELECT position FROM outbox WHERE position > ${after} ORDER BY position LIMIT 2`,
        )
      ).rows.map(({ position }) => Number(position));
    const seen: number[] = [];
    await lateCommit(async () => void seen.push(...(await page(0))));
    seen.push(...(await page(seen.at(-1)!)));
    expect(seen).toEqual([1, 3, 4]); // 4 is the second event of the key whose first is at 2
  });

  test('a pass is one snapshot however slowly it is read, and the next one begins at the bottom', async () => {
    const passes: TablePass[] = [];
    await lateCommit(async () => void passes.push(await reader.open(harness.request(), never)));
    passes.push(await reader.open(harness.request(), never));
    const positions: bigint[][] = [];
    for (const pass of passes) positions.push((await harness.drain(pass)).map(({ position }) => position));
    expect(positions).toEqual([
      [1n, 3n],
      [1n, 2n, 3n, 4n],
    ]);
  });

  test.each([
    ['a rewriting ALTER TABLE', 'ALTER TABLE outbox ALTER COLUMN type TYPE varchar(99)', 3],
    ['TRUNCATE', 'TRUNCATE outbox', 0],
  ])('naive: a snapshot older than %s sees an empty table', async (_, ddl, left) => {
    await sql.query(harness.insertKeys('a', 'b', 'c'));
    await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await other.query('SELECT pg_current_snapshot()');
    await sql.query(ddl);
    expect((await other.query('SELECT FROM outbox')).rowCount).toBe(0);
    await other.query('COMMIT');
    expect((await sql.query('SELECT FROM outbox')).rowCount).toBe(left);
  });

  test.each([
    ['a rewriting ALTER TABLE', 'ALTER TABLE outbox ALTER COLUMN type TYPE varchar(99)'],
    ['TRUNCATE', 'TRUNCATE outbox'],
  ])('%s waits for the pass, which sees all its rows', async (_, ddl) => {
    await sql.query(harness.insertKeys('a', 'b', 'c'));
    const pass = await reader.open(harness.request(), never);
    await sql.query(`SET lock_timeout = '100ms'`);
    await expect(sql.query(ddl)).rejects.toMatchObject({ code: '55P03' });
    expect(harness.keys(await harness.drain(pass))).toEqual(['a', 'b', 'c']);
    await sql.query(ddl);
    await sql.query('RESET lock_timeout');
  });

  test('says so when the lock is not to be had, and goes on afterwards', async () => {
    reader = readerWith(NO_FILTERS, 100);
    await sql.query(harness.insertKeys('a'));
    await other.query('BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE');
    await expect(reader.open(harness.request(), never)).rejects.toMatchObject({ code: 'table_rewritten' });
    await other.query('COMMIT');
    expect(await readBy(reader)).toEqual(['a']);
  });

  test('tells the snapshot it reads in, and an insert position above all that it sees', async () => {
    await other.query('BEGIN');
    const running = await other.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
    const { rows } = await sql.query<{ xid: string }>(
      `${harness.insertKeys('a')} RETURNING pg_current_xact_id()::text AS xid`,
    );
    const { rows: after } = await sql.query<{ lsn: string }>(
      `SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS lsn`,
    );
    const pass = await reader.open(harness.request(), never);
    await pass.close();
    await other.query('ROLLBACK');
    expect(isVisible(pass.snapshot, BigInt(rows[0]!.xid))).toBe(true);
    expect(isVisible(pass.snapshot, BigInt(running.rows[0]!.xid))).toBe(false);
    expect(pass.insertLsn).toBeGreaterThanOrEqual(BigInt(after[0]!.lsn));
  });

  test('assigns a new transaction id each time', async () => {
    const first = await reader.assignXid();
    const second = await reader.assignXid();
    expect(second).toBeGreaterThan(first);
    const pass = await reader.open(harness.request(), never);
    await pass.close();
    expect(pass.snapshot.xmin).toBeGreaterThan(second);
  });

  test.each([
    { maxRows: 2, keys: ['a', 'b'], complete: false },
    { maxRows: 3, keys: ['a', 'b', 'c'], complete: true },
    { maxRows: 4, keys: ['a', 'b', 'c'], complete: true },
  ])('stops after $maxRows rows and knows whether that was the end', async ({ maxRows, keys, complete }) => {
    await sql.query(harness.insertKeys('a', 'b', 'c'));
    for (const wanted of [undefined, () => true]) {
      const pass = await reader.open(harness.request({ maxRows, ...(wanted ? { wanted } : {}) }), never);
      expect(harness.keys(await harness.drain(pass))).toEqual(keys);
      expect(pass.complete).toBe(complete);
    }
  });

  test('what is not wanted does not count', async () => {
    await sql.query(harness.insertKeys('x', 'x', 'a', 'x', 'b', 'c'));
    const wanted = (row: OutboxRow): boolean => harness.keys([row])[0] !== 'x';
    const pass = await reader.open(harness.request({ maxRows: 2, wanted }), never);
    expect(harness.keys(await harness.drain(pass))).toEqual(['a', 'b']);
    expect(pass.complete).toBe(false);
  });

  test('rows of other destinations are left out in SQL, those that no rule can tell about as well', async () => {
    await sql.query(`ALTER TABLE outbox ALTER COLUMN aggregatetype DROP NOT NULL`);
    await sql.query(harness.insertKeys('a', 'b'));
    await sql.query(`UPDATE outbox SET aggregatetype = CASE position WHEN 1 THEN 'invoice' END`);
    await sql.query(harness.insertKeys('c', 'd'));
    reader = readerWith({ ...NO_FILTERS, filterSql: () => `o.aggregatetype = 'order'` });
    expect(await readBy(reader, harness.request({ maxRows: 2 }))).toEqual(['c', 'd']);
  });

  test('a parked bottom of the table does not stop a pass, nor do the rows behind parked keys', async () => {
    await sql.query(harness.insertMany(500));
    await sql.query(`INSERT INTO outbox_parked (position, id, destination, key, code, reason)
      SELECT position, id::text, 'kafka', aggregateid, 'message_too_large', '' FROM outbox`);
    await sql.query(harness.insertKeys('key-1', 'key-500', 'free', 'key-7', 'free'));
    const bottom = await sql.query(`SELECT FROM (SELECT * FROM outbox ORDER BY position LIMIT 10) o
      WHERE NOT EXISTS (SELECT FROM outbox_parked p WHERE p.position = o.position)`);
    expect(bottom.rowCount).toBe(0); // naive: nothing is left of the ten lowest, for ever

    expect(await readBy(reader, harness.request({ maxRows: 10 }))).toHaveLength(5);
    reader = readerWith({ ...NO_FILTERS, keyColumn: () => 'aggregateid' });
    expect(await readBy(reader, harness.request({ maxRows: 10 }))).toEqual(['free', 'free']);
    // The keys of one destination are not those of another; a parked row waits whoever it is for.
    expect(await readBy(reader, harness.request({ destination: 'rabbit' }))).toHaveLength(5);
  });

  test('a row at the same position with another id is not the parked one', async () => {
    await sql.query(harness.insertKeys('a'));
    await sql.query(`INSERT INTO outbox_parked (position, id, destination, code, reason)
      VALUES (1, gen_random_uuid()::text, 'kafka', '', '')`);
    expect(await readBy(reader)).toEqual(['a']);
  });

  test.each(['never analysed', 'analysed while empty', 'analysed'])(
    'walks the index in order, without a sort: %s',
    async (statistics) => {
      if (statistics === 'analysed while empty') await sql.query('ANALYZE outbox, outbox_parked');
      await sql.query(harness.insertMany(3000));
      await sql.query(`INSERT INTO outbox_parked (position, id, destination, key, code, reason)
        SELECT position, id::text, 'kafka', aggregateid, '', '' FROM outbox WHERE position % 3 = 0`);
      if (statistics === 'analysed') await sql.query('ANALYZE outbox, outbox_parked');
      const filters = { filterSql: () => `o.aggregatetype = 'order'`, keyColumn: () => 'aggregateid' };
      await other.query(
        `BEGIN; ${Object.entries(IN_ORDER_SETTINGS)
          .map(([name, value]) => `SET LOCAL ${name} = '${value}'`)
          .join(';')}`,
      );
      for (const limit of [null, 100]) {
        const query = passQuery(table, filters, 'kafka', limit);
        expect(copyStatement(query)).toContain(query);
        const plan = (await other.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${query}`)).rows
          .map((row) => row['QUERY PLAN'])
          .join('\n');
        expect(plan).not.toContain('Sort');
        expect(plan).toMatch(/Index (Only )?Scan using outbox_pkey/);
        expect(plan).toContain('Merge Anti Join');
        expect(plan).toMatch(/hashed SubPlan/);
      }
      await other.query('ROLLBACK');
    },
  );

  test('a consumer that does not read slows the server down, instead of filling memory', async () => {
    await sql.query(harness.insertMany(4000, 10_000));
    const pass = await reader.open(harness.request(), never);
    let count = 0;
    for await (const rows of pass.rows()) {
      // What one read of the socket brings, never the 40 MB that wait.
      expect(rows.length).toBeLessThan(100);
      if (count === 0) {
        const before = process.memoryUsage().arrayBuffers;
        await until(async () => (await passBackends()).some(({ wait_event }) => wait_event === 'ClientWrite'), {
          what: 'the server to wait for us',
        });
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20);
      }
      count += rows.length;
    }
    await pass.close();
    expect(count).toBe(4000);
  });

  test('closed in the middle, it ends its backend and with it the lock; the next pass has a new connection', async () => {
    await sql.query(harness.insertMany(2000, 10_000));
    const pass = await reader.open(harness.request(), never);
    for await (const rows of pass.rows()) {
      expect(rows.length).toBeGreaterThan(0);
      break;
    }
    const [backend] = await passBackends();
    await pass.close();
    await until(async () => !(await passBackends()).some(({ pid }) => pid === backend?.pid), {
      what: 'the backend to end',
      timeoutMs: 5_000,
    });
    expect(pass.complete).toBe(false);
    await sql.query(`SET lock_timeout = '1s'; TRUNCATE outbox; RESET lock_timeout`);
    expect(await readBy(reader)).toEqual([]);
  });

  test('closed while the server finds nothing to send, it still ends its backend', async () => {
    await sql.query(harness.insertMany(10));
    reader = readerWith({ ...NO_FILTERS, filterSql: () => `pg_sleep(600) IS NULL` });
    const pass = await reader.open(harness.request(), never);
    const reading = harness.drain(pass);
    await until(async () => (await passBackends()).some(({ wait_event }) => wait_event === 'PgSleep'), {
      what: 'the server to be busy',
    });
    await pass.close();
    expect(await reading).toEqual([]);
    expect(pass.complete).toBe(false);
    await until(async () => (await passBackends()).length === 0, { what: 'the backend to end', timeoutMs: 10_000 });
  });

  test('keeps its connection for the next pass', async () => {
    await sql.query(harness.insertKeys('a'));
    await readBy(reader);
    const [first] = await passBackends();
    await readBy(reader, harness.request({ maxRows: 0 }));
    await readBy(reader);
    expect((await passBackends()).map(({ pid }) => pid)).toEqual([first?.pid]);
  });

  test('a connection lost in the middle is an error, and the next pass works', async () => {
    await sql.query(harness.insertMany(2000, 10_000));
    const pass = await reader.open(harness.request(), never);
    const failing = (async () => {
      for await (const rows of pass.rows()) {
        expect(rows.length).toBeGreaterThan(0);
        for (const { pid } of await passBackends()) await sql.query('SELECT pg_terminate_backend($1)', [pid]);
      }
    })();
    await expect(failing).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await pass.close();
    expect(pass.complete).toBe(false);
    expect(await readBy(reader)).toHaveLength(2000);
  });

  test('an idle connection that was lost is replaced', async () => {
    await sql.query(harness.insertKeys('a'));
    await readBy(reader);
    const [backend] = await passBackends();
    await sql.query('SELECT pg_terminate_backend($1)', [backend?.pid]);
    expect(await until(() => readBy(reader), { what: 'a pass' })).toEqual(['a']);
  });

  test('is given up when the signal says so', async () => {
    await other.query('BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE');
    const stop = new AbortController();
    const opening = reader.open(harness.request(), stop.signal);
    await until(async () => (await sql.query(`SELECT FROM pg_locks WHERE NOT granted`)).rowCount === 1, {
      what: 'the pass to wait for the lock',
    });
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await expect(reader.open(harness.request(), stop.signal)).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await other.query('COMMIT');
  });
});
