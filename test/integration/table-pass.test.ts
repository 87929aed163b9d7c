/** What a pass reads, how far, and what it leaves behind: bounds, filters, plans, back-pressure, connections. */
import { expect, test } from 'vitest';
import { PostgresTableReader } from '../../src/capture/table/reader.ts';
import { copyStatement, passQuery } from '../../src/capture/table/select.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import { IN_ORDER_SETTINGS, NO_FILTERS } from '../../src/postgres/unpublished-rows.ts';
import { describeWithService } from '../support/service.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';
import { passSuite } from '../support/pass-suite.ts';
import * as harness from '../support/table-harness.ts';

const never = new AbortController().signal;

describeWithService('postgres', 'a pass over the table', () => {
  const suite = passSuite();

  test('reads the rows of its snapshot in order of position, with nulls and the time of creation', async () => {
    await suite.sql.query(`INSERT INTO outbox (aggregatetype, aggregateid, type, payload, headers, created_at) VALUES
      ('order', 'b', 'created', '{"n": 12345678901234567890}', NULL, '2026-01-02 03:04:05.678+00'),
      ('order', 'ä', 'deleted', NULL, '{"x": "1"}', 'infinity')`);
    const ids = (await suite.sql.query<{ id: string }>('SELECT id FROM outbox ORDER BY position')).rows.map(
      ({ id }) => id,
    );
    const pass = await suite.reader.open(harness.request(), never);
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
    expect(await suite.read(suite.reader, harness.request({ maxRows: 0 }))).toEqual([]);
  });

  test.each([
    { maxRows: 2, keys: ['a', 'b'], complete: false },
    { maxRows: 3, keys: ['a', 'b', 'c'], complete: true },
    { maxRows: 4, keys: ['a', 'b', 'c'], complete: true },
  ])('stops after $maxRows rows and knows whether that was the end', async ({ maxRows, keys, complete }) => {
    await suite.sql.query(harness.insertKeys('a', 'b', 'c'));
    for (const wanted of [undefined, () => true]) {
      const pass = await suite.reader.open(harness.request({ maxRows, ...(wanted ? { wanted } : {}) }), never);
      expect(harness.keys(await harness.drain(pass))).toEqual(keys);
      expect(pass.complete).toBe(complete);
    }
  });

  test('what is not wanted does not count', async () => {
    await suite.sql.query(harness.insertKeys('x', 'x', 'a', 'x', 'b', 'c'));
    const wanted = (row: OutboxRow): boolean => harness.keys([row])[0] !== 'x';
    const pass = await suite.reader.open(harness.request({ maxRows: 2, wanted }), never);
    expect(harness.keys(await harness.drain(pass))).toEqual(['a', 'b']);
    expect(pass.complete).toBe(false);
  });

  test('rows of other destinations are left out in SQL, those that no rule can tell about as well', async () => {
    await suite.sql.query(`ALTER TABLE outbox ALTER COLUMN aggregatetype DROP NOT NULL`);
    await suite.sql.query(harness.insertKeys('a', 'b'));
    await suite.sql.query(`UPDATE outbox SET aggregatetype = CASE position WHEN 1 THEN 'invoice' END`);
    await suite.sql.query(harness.insertKeys('c', 'd'));
    suite.reader = suite.readerWith({ ...NO_FILTERS, filterSql: () => `o.aggregatetype = 'order'` });
    expect(await suite.read(suite.reader, harness.request({ maxRows: 2 }))).toEqual(['c', 'd']);
  });

  test('a parked bottom of the table does not stop a pass, nor do the rows behind parked keys', async () => {
    await suite.sql.query(harness.insertMany(500));
    await suite.sql.query(`INSERT INTO outbox_parked (position, id, destination, key, code, reason)
      SELECT position, id::text, 'kafka', aggregateid, 'message_too_large', '' FROM outbox`);
    await suite.sql.query(harness.insertKeys('key-1', 'key-500', 'free', 'key-7', 'free'));
    const bottom = await suite.sql.query(`SELECT FROM (SELECT * FROM outbox ORDER BY position LIMIT 10) o
      WHERE NOT EXISTS (SELECT FROM outbox_parked p WHERE p.position = o.position)`);
    expect(bottom.rowCount).toBe(0); // naive: nothing is left of the ten lowest, for ever

    expect(await suite.read(suite.reader, harness.request({ maxRows: 10 }))).toHaveLength(5);
    suite.reader = suite.readerWith({ ...NO_FILTERS, keyColumn: () => 'aggregateid' });
    expect(await suite.read(suite.reader, harness.request({ maxRows: 10 }))).toEqual(['free', 'free']);
    // The keys of one destination are not those of another; a parked row waits whoever it is for.
    expect(await suite.read(suite.reader, harness.request({ destination: 'rabbit' }))).toHaveLength(5);
  });

  test('a row at the same position with another id is not the parked one', async () => {
    await suite.sql.query(harness.insertKeys('a'));
    await suite.sql.query(`INSERT INTO outbox_parked (position, id, destination, code, reason)
      VALUES (1, gen_random_uuid()::text, 'kafka', '', '')`);
    expect(await suite.read(suite.reader)).toEqual(['a']);
  });

  test.each(['never analysed', 'analysed while empty', 'analysed'])(
    'walks the index in order, without a sort: %s',
    async (statistics) => {
      if (statistics === 'analysed while empty') await suite.sql.query('ANALYZE outbox, outbox_parked');
      await suite.sql.query(harness.insertMany(3000));
      await suite.sql.query(`INSERT INTO outbox_parked (position, id, destination, key, code, reason)
        SELECT position, id::text, 'kafka', aggregateid, '', '' FROM outbox WHERE position % 3 = 0`);
      if (statistics === 'analysed') await suite.sql.query('ANALYZE outbox, outbox_parked');
      const filters = { filterSql: () => `o.aggregatetype = 'order'`, keyColumn: () => 'aggregateid' };
      await suite.other.query(
        `BEGIN; ${Object.entries(IN_ORDER_SETTINGS)
          .map(([name, value]) => `SET LOCAL ${name} = '${value}'`)
          .join(';')}`,
      );
      for (const limit of [null, 100]) {
        const query = passQuery(harness.outbox(), filters, 'kafka', limit);
        expect(copyStatement(query)).toContain(query);
        const plan = (await suite.other.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${query}`)).rows
          .map((row) => row['QUERY PLAN'])
          .join('\n');
        expect(plan).not.toContain('Sort');
        expect(plan).toMatch(/Index (Only )?Scan using outbox_pkey/);
        expect(plan).toContain('Merge Anti Join');
        expect(plan).toMatch(/hashed SubPlan/);
      }
      await suite.other.query('ROLLBACK');
    },
  );

  test('its connections have the settings for that', async () => {
    await suite.sql.query(harness.insertMany(100));
    await suite.read(suite.reader);
    // A backend reports its counts when it ends.
    await suite.reader.close();
    const counts = await until(
      async () => {
        // Rows rather than scans: building the index of the primary key counts as a scan, of an empty table.
        const { rows } = await suite.sql.query<{ seq_tup_read: string; idx_scan: string }>(
          `SELECT seq_tup_read, idx_scan FROM pg_stat_user_tables WHERE relname = 'outbox'`,
        );
        return rows[0]?.idx_scan === '0' ? undefined : rows[0];
      },
      { what: 'the counts', timeoutMs: 10_000 },
    );
    expect(counts).toEqual({ seq_tup_read: '0', idx_scan: '1' });
  });

  test('a consumer that does not read slows the server down, instead of filling memory', async () => {
    await suite.sql.query(harness.insertMany(4000, 10_000));
    const pass = await suite.reader.open(harness.request(), never);
    let count = 0;
    for await (const rows of pass.rows()) {
      // What one read of the socket brings, never the 40 MB that wait.
      expect(rows.length).toBeLessThan(100);
      if (count === 0) {
        const before = process.memoryUsage().arrayBuffers;
        await until(async () => (await suite.backends()).some(({ wait_event }) => wait_event === 'ClientWrite'), {
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
    await suite.sql.query(harness.insertMany(2000, 10_000));
    const pass = await suite.reader.open(harness.request(), never);
    for await (const rows of pass.rows()) {
      expect(rows.length).toBeGreaterThan(0);
      break;
    }
    const [backend] = await suite.backends();
    await pass.close();
    await until(async () => !(await suite.backends()).some(({ pid }) => pid === backend?.pid), {
      what: 'the backend to end',
      timeoutMs: 5_000,
    });
    expect(pass.complete).toBe(false);
    await suite.sql.query(`SET lock_timeout = '1s'; TRUNCATE outbox; RESET lock_timeout`);
    expect(await suite.read(suite.reader)).toEqual([]);
  });

  test('closed while the server finds nothing to send, it still ends its backend', async () => {
    await suite.sql.query(harness.insertMany(10));
    suite.reader = suite.readerWith({ ...NO_FILTERS, filterSql: () => `pg_sleep(600) IS NULL` });
    const pass = await suite.reader.open(harness.request(), never);
    const reading = harness.drain(pass);
    await until(async () => (await suite.backends()).some(({ wait_event }) => wait_event === 'PgSleep'), {
      what: 'the server to be busy',
    });
    await pass.close();
    expect(await reading).toEqual([]);
    expect(pass.complete).toBe(false);
    await until(async () => (await suite.backends()).length === 0, { what: 'the backend to end', timeoutMs: 10_000 });
  });

  test('is given up by the signal, too, while the server finds nothing to send', async () => {
    await suite.sql.query(harness.insertMany(10));
    suite.reader = suite.readerWith({ ...NO_FILTERS, filterSql: () => `pg_sleep(600) IS NULL` });
    const stop = new AbortController();
    const pass = await suite.reader.open(harness.request(), stop.signal);
    const reading = harness.drain(pass);
    await until(async () => (await suite.backends()).some(({ wait_event }) => wait_event === 'PgSleep'), {
      what: 'the server to be busy',
    });
    stop.abort();
    await expect(reading).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await pass.close();
    expect(pass.complete).toBe(false);
  });

  test('keeps its connection for the next pass', async () => {
    await suite.sql.query(harness.insertKeys('a'));
    await suite.read(suite.reader);
    const [first] = await suite.backends();
    await suite.read(suite.reader, harness.request({ maxRows: 0 }));
    await suite.read(suite.reader);
    expect((await suite.backends()).map(({ pid }) => pid)).toEqual([first?.pid]);
  });

  test('a connection lost in the middle is an error, and the next pass works', async () => {
    await suite.sql.query(harness.insertMany(2000, 10_000));
    const pass = await suite.reader.open(harness.request(), never);
    const failing = (async () => {
      for await (const rows of pass.rows()) {
        expect(rows.length).toBeGreaterThan(0);
        for (const { pid } of await suite.backends()) await suite.sql.query('SELECT pg_terminate_backend($1)', [pid]);
      }
    })();
    await expect(failing).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await pass.close();
    expect(pass.complete).toBe(false);
    expect(await suite.read(suite.reader)).toHaveLength(2000);
  });

  test('a server that falls silent in the middle is given up in time, and the next pass works', async () => {
    await suite.sql.query(harness.insertMany(2000, 10_000));
    await using proxy = await TcpProxy.start(suite.postgres.hosts[0]);
    const postgres = { ...suite.postgres, hosts: [{ host: '127.0.0.1', port: proxy.port }] };
    const table = harness.outbox();
    const reader = new PostgresTableReader({ postgres, table, filters: NO_FILTERS, silenceMs: 300 });
    try {
      const pass = await reader.open(harness.request(), never);
      const failing = (async () => {
        for await (const rows of pass.rows()) {
          expect(rows.length).toBeGreaterThan(0);
          proxy.blackhole();
        }
      })();
      await expect(failing).rejects.toMatchObject({ code: 'postgres_unreachable' });
      await pass.close();
      expect(pass.complete).toBe(false);
      await proxy.heal();
      expect(await suite.read(reader)).toHaveLength(2000);
    } finally {
      await reader.close();
    }
  });

  test('an idle connection that was lost is replaced', async () => {
    await suite.sql.query(harness.insertKeys('a'));
    await suite.read(suite.reader);
    const [backend] = await suite.backends();
    await suite.sql.query('SELECT pg_terminate_backend($1)', [backend?.pid]);
    expect(await until(() => suite.read(suite.reader), { what: 'a pass' })).toEqual(['a']);
  });

  test('is given up when the signal says so', async () => {
    await suite.other.query('BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE');
    const stop = new AbortController();
    const opening = suite.reader.open(harness.request(), stop.signal);
    await until(async () => (await suite.sql.query(`SELECT FROM pg_locks WHERE NOT granted`)).rowCount === 1, {
      what: 'the pass to wait for the lock',
    });
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await expect(suite.reader.open(harness.request(), stop.signal)).rejects.toMatchObject({
      code: 'postgres_unreachable',
    });
    await suite.other.query('COMMIT');
  });
});
