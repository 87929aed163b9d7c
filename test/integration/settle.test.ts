/** Deletion: what is gone, what is not there yet, and what is in the way are told apart; beside it the naive way. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RowRef } from '../../src/core/row.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { PostgresSettler, SETTLE_SETTINGS } from '../../src/postgres/settle.ts';
import { describeWithLauncher, describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/table-harness.ts';

const NOTHING = { deleted: 0, notYetVisible: [], missing: [], locked: [], blocked: [] };

/** @param lockTimeout long, for the tests in which a lock is let go in time */
function settlerOn(
  url: string,
  table: OutboxTable = harness.outbox(),
  lockTimeout = '30s',
): { session: SqlSession; settler: PostgresSettler } {
  const session = new SqlSession(harness.postgresOptions(url), {
    role: 'settle',
    settings: { ...SETTLE_SETTINGS, lock_timeout: lockTimeout },
  });
  return { session, settler: new PostgresSettler(session, table) };
}

async function refs(sql: pg.Client): Promise<RowRef[]> {
  const { rows } = await sql.query<{ position: string; id: string }>(
    'SELECT position, id::text FROM outbox ORDER BY position',
  );
  return rows.map(({ position, id }) => ({ position: BigInt(position), id }));
}

function seen(rows: readonly RowRef[], xid: number | null = null): (RowRef & { xid: number | null })[] {
  return rows.map((row) => ({ ...row, xid }));
}

describeWithService('postgres', 'settling', () => {
  const database = freshDatabase();
  let sql: pg.Client;
  let other: pg.Client;
  let session: SqlSession;
  let settler: PostgresSettler;

  beforeAll(async () => {
    sql = await harness.connect(database.url);
    other = await harness.connect(database.url);
  });
  beforeEach(async () => {
    await sql.query(harness.RECREATE);
    ({ session, settler } = settlerOn(database.url));
  });
  afterEach(() => session.close());
  afterAll(() => Promise.all([sql.end(), other.end()]));

  test('deletes exactly what is given', async () => {
    await sql.query(harness.insertMany(1500));
    const rows = await refs(sql);
    expect(await settler.settle(seen(rows.filter((_, index) => index % 3 !== 0)))).toEqual({
      ...NOTHING,
      deleted: 1000,
    });
    expect(await refs(sql)).toEqual(rows.filter((_, index) => index % 3 === 0));
    expect(await settler.settle([])).toEqual(NOTHING);
  });

  test.each([
    ['text', ['plain', 'with "quotes"', 'back\\slash', 'a,b', '{x}', ' NULL ', 'NULL', '', 'ä€😀', "it's"]],
    ['bigint', ['-1', '9223372036854775807', '0']],
    ['character(5)', ['a', 'bb', 'ccccc']],
    ['boolean', ['t', 'f']],
    ['inet', ['10.0.0.1', '10.0.0.0/8']],
  ])('ids of type %s', async (type, ids) => {
    await sql.query(harness.recreateWith(`id ${type} NOT NULL`));
    await sql.query(`INSERT INTO outbox (id) SELECT unnest($1::text[])::${type}`, [ids]);
    const table = harness.outbox({ id: { name: 'id', type }, createdAt: null, reads: [] });
    const own = settlerOn(database.url, table);
    const padded = ids.map((id) => (type === 'character(5)' ? id.padEnd(5) : id));
    const given = padded.map((id, index) => ({ position: BigInt(index + 1), id, xid: null }));
    const strangers = given.map((row) => ({ ...row, id: `${row.id}-` }));
    expect(await own.settler.settle(strangers)).toEqual({ ...NOTHING, missing: strangers });
    expect(await own.settler.settle(given)).toEqual({ ...NOTHING, deleted: ids.length });
    await own.session.close();
  });

  test('a row of a transaction that is not visible yet is neither gone nor forgotten', async () => {
    await other.query('BEGIN');
    const { rows } = await other.query<{ position: string; id: string; xid: string }>(
      `${harness.insertKeys('a', 'b')} RETURNING position, id, pg_current_xact_id()::xid::text AS xid`,
    );
    const streamed = rows.map(({ position, id, xid }) => ({ position: BigInt(position), id, xid: Number(xid) }));
    expect(await settler.settle(streamed)).toEqual({ ...NOTHING, notYetVisible: streamed });
    await other.query('COMMIT');
    expect(await settler.settle(streamed)).toEqual({ ...NOTHING, deleted: 2 });
  });

  test('a position given out again is another row', async () => {
    await sql.query(harness.insertKeys('published'));
    const published = seen(await refs(sql));
    await sql.query('TRUNCATE outbox RESTART IDENTITY');
    await sql.query(harness.insertKeys('new'));
    const fresh = await refs(sql);
    expect(fresh[0]?.position).toBe(published[0]?.position);

    expect(await settler.settle(published)).toEqual({ ...NOTHING, missing: published });
    expect(await refs(sql)).toEqual(fresh);
    // naive: by position alone the row that nobody has published goes
    expect((await sql.query('DELETE FROM outbox WHERE position = ANY ($1)', [[1]])).rowCount).toBe(1);
  });

  test('a row that somebody else has deleted is missing, be it from the table or from the stream', async () => {
    const { rows } = await sql.query<{ xid: string }>(
      `${harness.insertKeys('a', 'b', 'c')} RETURNING pg_current_xact_id()::xid::text AS xid`,
    );
    const [a, b, c] = await refs(sql);
    await sql.query('DELETE FROM outbox WHERE position IN (1, 3)');
    const given = [...seen([a!, b!]), ...seen([c!], Number(rows[0]!.xid))];
    expect(await settler.settle(given)).toEqual({ ...NOTHING, deleted: 1, missing: [given[0], given[2]] });
  });

  test('a row that a trigger keeps is blocked', async () => {
    await sql.query(harness.insertKeys('a', 'kept', 'b'));
    await sql.query(`
      CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER keep BEFORE DELETE ON outbox FOR EACH ROW WHEN (old.aggregateid = 'kept') EXECUTE FUNCTION keep()`);
    const given = seen(await refs(sql));
    expect(await settler.settle(given)).toEqual({ ...NOTHING, deleted: 2, blocked: [given[1]] });
  });

  test('a policy that would hide rows is an error, not a short delete', async () => {
    const role = uniqueName('relay');
    await sql.query(`CREATE ROLE ${role} LOGIN; GRANT SELECT, DELETE ON outbox TO ${role};
      ALTER TABLE outbox ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON outbox USING (aggregateid <> 'hidden')`);
    await sql.query(harness.insertKeys('a', 'hidden'));
    const own = new SqlSession(harness.postgresOptions(database.url, { user: role }), {
      role: 'settle',
      settings: SETTLE_SETTINGS,
    });
    const given = seen(await refs(sql));
    await expect(new PostgresSettler(own, harness.outbox()).settle(given)).rejects.toMatchObject({
      code: 'postgres_permission',
    });
    expect(await refs(sql)).toHaveLength(2);
    await own.close();
    await sql.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  test('a row that is being deleted by somebody else at the same moment is missing, not blocked', async () => {
    await sql.query(harness.insertKeys('a', 'b'));
    const given = seen(await refs(sql));
    await other.query('BEGIN; DELETE FROM outbox WHERE position = 2');
    const settling = settler.settle(given);
    await harness.untilWaitingForLock(sql, 'settle');
    await other.query('COMMIT');
    // naive: the statement that waited saw the row, and did not delete it
    expect(await settling).toEqual({ ...NOTHING, deleted: 1, missing: [given[1]] });
  });

  test('rows that somebody else holds locked are told apart; all others are deleted', async () => {
    await sql.query(harness.insertMany(300));
    const given = seen(await refs(sql));
    const impatient = settlerOn(database.url, harness.outbox(), '100ms');
    await other.query('BEGIN');
    await other.query('SELECT FROM outbox WHERE position IN (7, 250) FOR UPDATE');
    const result = await impatient.settler.settle(given);
    expect(result).toEqual({ ...NOTHING, deleted: 298, locked: [given[6], given[249]] });
    await other.query('COMMIT');
    expect(await impatient.settler.settle(result.locked)).toEqual({ ...NOTHING, deleted: 2 });
    await impatient.session.close();
  });

  test('uses the index, whatever the statistics say', async () => {
    await sql.query('ANALYZE outbox');
    await sql.query(harness.insertMany(5000));
    const given = seen((await refs(sql)).slice(0, 100));
    await settler.settle(given);
    const { rows } = await sql.query<{ seq: string; idx: string }>(
      // The counters of a backend are sent when it is idle for a moment, or ends.
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE application_name = 'table-test settle' AND datname = current_database()`,
    );
    expect(rows).toHaveLength(1);
    const counters = await sql.query<{ idx: string }>(
      `SELECT idx_tup_fetch AS idx FROM pg_stat_user_tables WHERE relname = 'outbox'`,
    );
    expect(Number(counters.rows[0]?.idx)).toBeGreaterThanOrEqual(100);
    expect(Number(counters.rows[0]?.idx)).toBeLessThan(1000);
  });

  test('a lost connection is an error, and the next call works', async () => {
    await sql.query(harness.insertKeys('a'));
    const given = seen(await refs(sql));
    await settler.settle(seen([{ position: 99n, id: given[0]!.id }]));
    await other.query('BEGIN; LOCK TABLE outbox');
    const settling = settler.settle(given);
    settling.catch(() => undefined);
    const waiting = await until(
      async () => {
        const { rows } = await sql.query<{ pid: number }>(`SELECT pid FROM pg_locks WHERE NOT granted`);
        return rows[0]?.pid;
      },
      { what: 'the delete to wait' },
    );
    await sql.query('SELECT pg_terminate_backend($1)', [waiting]);
    await expect(settling).rejects.toMatchObject({ code: 'postgres_unreachable' });
    await other.query('COMMIT');
    expect(await settler.settle(given)).toEqual({ ...NOTHING, deleted: 1 });
  });
});

describeWithLauncher('postgres', 'settling while a synchronous standby is missing', () => {
  let server: StartedPostgres;
  beforeAll(async () => {
    server = await startPostgres({ version: postgresMajor() });
  });
  afterAll(() => server.dispose());

  test('a commit that waits is decoded already, and its rows stay due until they are visible', async () => {
    await server.query(harness.RECREATE);
    await server.query(`ALTER SYSTEM SET synchronous_standby_names = 'missing'`);
    await server.query('SELECT pg_reload_conf()');
    const writer = await harness.connect(server.url);
    await until(
      async () =>
        (await writer.query(`SELECT WHERE current_setting('synchronous_standby_names') = 'missing'`)).rowCount === 1,
      { what: 'the setting' },
    );
    const id = '00000000-0000-4000-8000-000000000001';
    await writer.query(`SET synchronous_commit = 'on'`);
    const committing = writer.query(
      `INSERT INTO outbox (id, aggregatetype, aggregateid, type) VALUES ('${id}', '', '', '')`,
    );
    const waiting = await until(
      async () =>
        (
          await server.query<{ xid: string }>(
            `SELECT backend_xid::text AS xid FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
          )
        )[0],
      { what: 'the commit to wait' },
    );
    const streamed = [{ position: 1n, id, xid: Number(waiting.xid) }];
    const { session, settler } = settlerOn(server.url);
    try {
      expect(await settler.settle(streamed)).toEqual({ ...NOTHING, notYetVisible: streamed });
      await server.query('ALTER SYSTEM RESET synchronous_standby_names');
      await server.query('SELECT pg_reload_conf()');
      await committing;
      // naive: the short delete was taken for "gone"; the row is here now, and nobody would ever delete it
      expect(await server.query('SELECT FROM outbox')).toHaveLength(1);
      expect(await settler.settle(streamed)).toEqual({ ...NOTHING, deleted: 1 });
    } finally {
      await session.close();
      await writer.end();
    }
  });
});
