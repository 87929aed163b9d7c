/** Parked rows, audit, lag and the session below them. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseLsn } from '../../src/core/lsn.ts';
import { PostgresAuditor } from '../../src/postgres/audit.ts';
import { connectSql } from '../../src/postgres/connection.ts';
import { withinDeadline } from '../../src/postgres/deadline.ts';
import { databaseTime } from '../../src/postgres/clock.ts';
import { sampleLag } from '../../src/postgres/lag.ts';
import { discardParked, listParked, overviewParked, retryParked, showParked } from '../../src/postgres/parked-rows.ts';
import { PostgresParkedStore } from '../../src/postgres/parked-store.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { IN_ORDER_SETTINGS, NO_FILTERS } from '../../src/postgres/unpublished-rows.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/table-harness.ts';

const table = harness.outbox();
const TERM = { shard: 0, epoch: 1n };
const KEEP_ROWS = `
  CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
  CREATE TRIGGER keep BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION keep()`;

describeWithService('postgres', 'beside the table', () => {
  const database = freshDatabase();
  let sql: pg.Client;
  let other: pg.Client;
  let session: SqlSession;
  let store: PostgresParkedStore;

  const row = async (position: number): Promise<{ position: bigint; id: string; xid: null }> => {
    const { rows } = await sql.query<{ id: string }>('SELECT id::text FROM outbox WHERE position = $1', [position]);
    return { position: BigInt(position), id: rows[0]!.id, xid: null };
  };
  const count = async (name: string): Promise<number | null> => (await sql.query(`SELECT FROM ${name}`)).rowCount;

  beforeAll(async () => {
    sql = await harness.connect(database.url);
    other = await harness.connect(database.url);
  });
  beforeEach(async () => {
    await sql.query(harness.RECREATE);
    session = new SqlSession(harness.postgresOptions(database.url), { role: 'store', settings: IN_ORDER_SETTINGS });
    await sql.query(`INSERT INTO outbox_lease (shard, epoch, holder) VALUES (0, 1, 'this one')`);
    store = new PostgresParkedStore(session, table, TERM);
  });
  afterEach(() => session.close());
  afterAll(() => Promise.all([sql.end(), other.end()]));

  test('parks many rows by one statement, whatever stands in their keys', async () => {
    const keys = ['NULL', 'a"b', 'back\\slash', '{a,b}', '', 'Ünï ☃\n', null];
    await sql.query(harness.insertKeys(...keys.map((_, n) => `k${n}`)));
    const rows = await Promise.all(keys.map((_, n) => row(n + 1)));
    await store.park(
      rows.map((each, n) => harness.mark(each, { key: keys[n] ?? null, reason: `"${n}"`, attempts: n })),
    );
    const listed = await listParked(session, table, {}, 10);
    expect(listed.map(({ key, reason, attempts }) => ({ key, reason, attempts }))).toEqual(
      keys.map((key, n) => ({ key, reason: `"${n}"`, attempts: n })),
    );
  });

  test('does not park for a term that another one has followed, also one that is just beginning', async () => {
    await sql.query(harness.insertKeys('a', 'b'));
    const [a, b] = [await row(1), await row(2)];
    await store.park([harness.mark(a)]);
    // the next leader's statement, as it is under way
    await other.query('BEGIN; UPDATE outbox_lease SET epoch = 2');
    const late = expect(store.park([harness.mark(a), harness.mark(b)])).rejects.toMatchObject({
      code: 'leadership_lost',
    });
    await harness.untilWaitingForLock(sql, 'store');
    await other.query('COMMIT');
    await late;
    expect(await store.load()).toMatchObject([{ position: 1n, attempts: 1 }]);
  });

  test('parks rows, counts attempts, and keeps what a broker says storable', async () => {
    await sql.query(harness.insertKeys('a', 'b'));
    const [a, b] = [await row(1), await row(2)];
    await store.park([harness.mark(b, { key: null, reason: `nul\0${'x'.repeat(3000)}` })]);
    await store.park([harness.mark(a, { key: 'a' })]);
    await store.park([harness.mark(a, { key: 'a', code: 'message_invalid', reason: 'again', destination: 'rabbit' })]);
    expect(await store.load()).toEqual([
      { position: a.position, id: a.id, key: 'a', destination: 'rabbit', attempts: 2 },
      { position: b.position, id: b.id, key: null, destination: 'kafka', attempts: 1 },
    ]);
    const listed = await listParked(session, table, {}, 10);
    expect(listed).toMatchObject([
      { attempts: 2, code: 'message_invalid', reason: 'again' },
      { attempts: 1, reason: `nul${'x'.repeat(1997)}` },
    ]);
    expect(listed[0]?.parkedAt).toBeInstanceOf(Date);
    expect(await listParked(session, table, { destination: 'kafka' }, 10)).toHaveLength(1);
    expect(await listParked(session, table, {}, 1)).toHaveLength(1);
  });

  test('shows a parked row with its columns, and one whose row is gone', async () => {
    await sql.query(harness.insertKeys('a'));
    const ref = await row(1);
    expect(await showParked(session, table, ref)).toBeNull();
    await store.park([harness.mark(ref)]);
    expect((await showParked(session, table, ref))?.columns).toEqual({
      aggregatetype: 'order',
      aggregateid: 'a',
      type: 'created',
      payload: '{}',
      headers: null,
    });
    await sql.query('DELETE FROM outbox');
    expect((await showParked(session, table, ref))?.columns).toBeNull();
  });

  test('retry takes marks away and leaves the rows', async () => {
    await sql.query(harness.insertKeys('a', 'b'));
    await store.park([harness.mark(await row(1), { key: 'a' })]);
    await store.park([harness.mark(await row(2), { key: 'b' })]);
    expect(await retryParked(session, table, { key: 'a' })).toBe(1);
    expect(await retryParked(session, table, { key: 'a' })).toBe(0);
    expect((await store.load()).map(({ key }) => key)).toEqual(['b']);
    expect(await count('outbox')).toBe(2);
  });

  test('discard deletes rows with their marks, and marks without rows; nothing that is not parked', async () => {
    await sql.query(harness.insertKeys('a', 'b', 'c'));
    for (const position of [1, 2]) await store.park([harness.mark(await row(position))]);
    await sql.query('DELETE FROM outbox WHERE position = 2');
    expect(await discardParked(session, table, {})).toBe(2);
    expect(await store.load()).toEqual([]);
    expect(await count('outbox')).toBe(1);
  });

  test('changes can be bounded, and leave alone what was parked after the look', async () => {
    await sql.query(harness.insertKeys('a', 'b', 'c', 'd'));
    for (const position of [3, 1, 2]) await store.park([harness.mark(await row(position))]);
    const { asOf, groups } = await overviewParked(session, table, 10);
    const { destination, code } = (await listParked(session, table, {}, 1))[0]!;
    expect(groups).toEqual([{ destination, code, rows: 3 }]);
    await store.park([harness.mark(await row(4))]);
    const positions = async (): Promise<number[]> => (await store.load()).map(({ position }) => Number(position));
    expect(await retryParked(session, table, { code, parkedUntil: asOf }, 1)).toBe(1);
    expect(await positions()).toEqual([2, 3, 4]);
    // parked again since, it is another matter
    await store.park([harness.mark(await row(1))]);
    expect(await discardParked(session, table, { parkedUntil: asOf }, 1)).toBe(1);
    expect(await discardParked(session, table, { parkedUntil: asOf })).toBe(1);
    expect(await discardParked(session, table, { parkedUntil: asOf })).toBe(0);
    expect([await positions(), await count('outbox')]).toEqual([[1, 4], 2]);
  });

  test('bury deletes a row with its mark or without one', async () => {
    await sql.query(harness.insertKeys('a', 'b'));
    const [a, b] = [await row(1), await row(2)];
    await store.park([harness.mark(a)]);
    expect(await store.bury(a)).toBe(true);
    expect(await store.bury(b)).toBe(true);
    expect(await store.bury(b)).toBe(true);
    expect([await count('outbox'), await count('outbox_parked')]).toEqual([0, 0]);
  });

  test('bury waits for a row that is not visible yet', async () => {
    await other.query('BEGIN');
    const { rows } = await other.query<{ id: string; xid: string }>(
      `${harness.insertKeys('a')} RETURNING id::text, pg_current_xact_id()::xid::text AS xid`,
    );
    const streamed = { position: 1n, id: rows[0]!.id, xid: Number(rows[0]!.xid) };
    expect(await store.bury(streamed)).toBe(false);
    await other.query('COMMIT');
    expect(await store.bury(streamed)).toBe(true);
    expect(await count('outbox')).toBe(0);
  });

  test('what keeps a row from being deleted keeps its mark, too', async () => {
    await sql.query(harness.insertKeys('a'));
    await sql.query(KEEP_ROWS);
    const ref = await row(1);
    await store.park([harness.mark(ref)]);
    await expect(store.bury(ref)).rejects.toMatchObject({ code: 'delete_blocked' });
    await expect(discardParked(session, table, {})).rejects.toMatchObject({ code: 'delete_blocked' });
    expect(await count('outbox_parked')).toBe(1);
  });

  test('the audit looks at so many rows at a time, whosever they are, up to those that were there at first', async () => {
    await sql.query(`${harness.insertKeys('b', 'b', 'b', 'b', 'a', 'b')};
      DROP SEQUENCE IF EXISTS looked_at; CREATE SEQUENCE looked_at`);
    const filters = {
      filterSql: () => `nextval('public.looked_at') > 0 AND o.aggregateid <> 'b'`,
      keyColumn: () => null,
    };
    const auditor = new PostgresAuditor(session, table, filters);
    const lookedAt = async (): Promise<number> =>
      Number((await sql.query<{ n: string }>(`SELECT nextval('public.looked_at') - 1 AS n`)).rows[0]!.n);
    const first = await auditor.look('kafka', 2);
    expect([await lookedAt(), first]).toMatchObject([2, { present: [], next: { after: 2n, until: 6n } }]);
    await sql.query(harness.insertKeys('a'));
    const second = await auditor.look('kafka', 2, first.next);
    expect(second).toMatchObject({ present: [], next: { after: 4n, until: 6n } });
    const third = await auditor.look('kafka', 2, second.next);
    expect([third.present.map(({ position }) => position), third.next]).toEqual([[5n], null]);
    // more than there are
    expect((await auditor.look('kafka', 10)).present.map(({ position }) => position)).toEqual([5n, 7n]);
  });

  test('the audit sees what is left of a destination, lowest first, without parked rows and keys', async () => {
    await sql.query(harness.insertKeys('a', 'parked', 'b', 'parked', 'c'));
    await store.park([harness.mark(await row(2), { key: 'parked' })]);
    const filters = { filterSql: () => `o.aggregateid <> 'b'`, keyColumn: () => 'aggregateid' };
    const auditor = new PostgresAuditor(session, table, filters);
    const before = await sql.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    const { present, insertLsn } = await auditor.look('kafka', 10);
    expect(present.map(({ position }) => position)).toEqual([1n, 5n]);
    expect(insertLsn).toBeGreaterThanOrEqual(parseLsn(before.rows[0]!.lsn));
    expect(auditor.leavesOutParkedKeys('kafka')).toBe(true);
    expect(new PostgresAuditor(session, table, NO_FILTERS).leavesOutParkedKeys('kafka')).toBe(false);

    await sql.query('DELETE FROM outbox WHERE position = 1');
    expect(await auditor.stillThere('kafka', present)).toEqual([present[1]]);
    expect(await auditor.stillThere('kafka', [{ position: 5n, id: 'another' }])).toEqual([]);
    await store.park([harness.mark(await row(5), { key: 'c' })]);
    expect(await auditor.stillThere('kafka', present)).toEqual([]);
    expect(await auditor.stillThere('kafka', [])).toEqual([]);

    const [parked] = await auditor.rows([await row(5), present[0]!, { position: 2n, id: 'another' }]);
    expect([parked?.position, parked?.id]).toEqual([5n, present[1]!.id]);
    const texts = parked?.values.map((value) => value?.toString() ?? null);
    expect(texts).toEqual(['order', 'c', 'created', '{}', null]);
  });

  test('lag: the first row that is not parked, and counts up to a limit', async () => {
    const nothing = { destinations: new Map(), waitingRows: 0, estimated: false, parkedRows: 0 };
    expect(await sampleLag(session, table)).toEqual(nothing);
    await sql.query(harness.insertKeys('a', 'b', 'c', 'd'));
    await sql.query(`UPDATE outbox SET created_at = clock_timestamp() - position * interval '100 s'`);
    await store.park([harness.mark(await row(1))]);
    const sample = await sampleLag(session, table);
    expect(sample).toMatchObject({ waitingRows: 3, parkedRows: 1, estimated: false });
    expect([...sample.destinations]).toEqual([['', expect.objectContaining({ rows: 3 })]]);
    const age = sample.destinations.get('')?.oldestAgeSeconds;
    expect(age).toBeGreaterThanOrEqual(200);
    expect(age).toBeLessThan(260);
    const timeless = await sampleLag(session, harness.outbox({ createdAt: null }));
    expect(timeless.destinations.get('')?.oldestAgeSeconds).toBeNull();
  });

  test('lag: told apart by destination, as far as rows are looked at, and beyond that estimated', async () => {
    const question = {
      destinations: ['x', 'y', 'z'],
      filters: { filterSql: (name: string) => (name === 'z' ? null : `o.aggregateid = '${name}'`) },
    };
    await sql.query(harness.insertKeys('x', 'x', 'other', 'y', 'x'));
    await sql.query(`UPDATE outbox SET created_at = clock_timestamp() - (6 - position) * interval '100 s'`);
    const all = await sampleLag(session, table, question);
    const rows = [...all.destinations].map(([name, waiting]) => [name, waiting.rows]);
    expect(new Map(rows as [string, number][])).toEqual(new Map([['x', 3], ['z', 1], ['y', 1]])); // prettier-ignore
    const ages = ['x', 'z', 'y'].map((name) => Math.floor((all.destinations.get(name)?.oldestAgeSeconds ?? 0) / 100));
    expect(ages).toEqual([5, 3, 2]);
    const firsts = new Set([...all.destinations.values()].map(({ first }) => first));
    expect(firsts.size).toBe(3);

    const some = await sampleLag(session, table, { ...question, limit: 3 });
    expect([...some.destinations.keys()].sort()).toEqual(['x', 'z']);
    expect(some.destinations.get('x')).toMatchObject({ rows: 2, first: all.destinations.get('x')?.first });
    expect(some.estimated).toBe(true);
    const told = async (): Promise<boolean> => {
      // a session hands in its statistics after a statement, if a second has passed since the last time
      await sql.query('SELECT 1');
      return (await sampleLag(session, table, { ...question, limit: 3 })).waitingRows === 5;
    };
    await until(told, { what: 'the statistics to tell how many rows there are' });
    await sql.query('DELETE FROM outbox WHERE position = 1');
    expect((await sampleLag(session, table, question)).destinations.get('x')?.first).not.toBe(
      all.destinations.get('x')?.first,
    );
  });

  test('lag: by the clock of the database, and without what has not been committed', async () => {
    const other = await connectSql(harness.postgresOptions(database.url), 'writer');
    await other.query('BEGIN');
    await other.query(`SET LOCAL search_path = public; ${harness.insertKeys('a')}`);
    expect(await sampleLag(session, table)).toMatchObject({ waitingRows: 0 });
    await other.query('COMMIT');
    await other.end();
    expect(await sampleLag(session, table)).toMatchObject({ waitingRows: 1 });
    const before = Date.now();
    const now = await databaseTime(session);
    expect(now).toBeGreaterThan(before - 1_000);
    expect(now).toBeLessThan(Date.now() + 1_000);
  });

  test('a session answers in order, reconnects after a loss, and ends within its deadline', async () => {
    const pid = async (): Promise<number> =>
      (await session.query<{ pid: number }>('asking', 'SELECT pg_backend_pid() AS pid'))[0]!.pid;
    const [first, second] = await Promise.all([pid(), pid()]);
    expect(second).toBe(first);
    await sql.query('SELECT pg_terminate_backend($1, 5000)', [first]);
    expect(await until(pid, { what: 'a new connection' })).not.toBe(first);
    await expect(session.query('asking', 'SELECT nothing')).rejects.toMatchObject({ code: 'postgres_schema' });
    const hanging = session.query('asking', 'SELECT pg_sleep(60)');
    hanging.catch(() => undefined);
    const started = performance.now();
    await session.close(200);
    expect(performance.now() - started).toBeLessThan(2_000);
    await expect(hanging).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await expect(pid()).rejects.toMatchObject({ code: 'postgres_unreachable' });
  });

  test('a statement without an answer costs the connection', async () => {
    const client = await connectSql(harness.postgresOptions(database.url), 'deadline');
    await expect(withinDeadline(client, 100, client.query('SELECT pg_sleep(60)'))).rejects.toMatchObject({
      code: 'postgres_unreachable',
    });
    await expect(client.query('SELECT 1')).rejects.toThrow();
  });
});
