/** The snapshot of a pass and the lock before it; beside each rule what a naive reader makes of it. */
import { expect, test } from 'vitest';
import { beginPass } from '../../src/capture/table/begin-pass.ts';
import type { TablePass } from '../../src/core/capture.ts';
import { isVisible, parseSnapshot } from '../../src/core/snapshot.ts';
import { closeConnection, connectSql } from '../../src/postgres/connection.ts';
import { IN_ORDER_SETTINGS, NO_FILTERS } from '../../src/postgres/unpublished-rows.ts';
import { describeWithService } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import { passSuite } from '../support/pass-suite.ts';
import * as harness from '../support/table-harness.ts';

const never = new AbortController().signal;

describeWithService('postgres', 'the snapshot of a pass', () => {
  const suite = passSuite();

  /** A key's first event takes position 2 and is committed only when the reader has passed it. */
  async function lateCommit(read: () => Promise<void>): Promise<void> {
    await suite.sql.query(harness.insertKeys('other'));
    await suite.other.query('BEGIN');
    await suite.other.query(harness.insertKeys('k'));
    await suite.sql.query(harness.insertKeys('other'));
    await read();
    await suite.other.query('COMMIT');
    await suite.sql.query(harness.insertKeys('k'));
  }

  test('naive: pages of several snapshots publish a key out of order', async () => {
    const page = async (after: number): Promise<number[]> =>
      (
        await suite.sql.query<{ position: string }>(
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
    await lateCommit(async () => void passes.push(await suite.reader.open(harness.request(), never)));
    passes.push(await suite.reader.open(harness.request(), never));
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
    await suite.sql.query(harness.insertKeys('a', 'b', 'c'));
    await suite.other.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await suite.other.query('SELECT pg_current_snapshot()');
    await suite.sql.query(ddl);
    expect((await suite.other.query('SELECT FROM outbox')).rowCount).toBe(0);
    await suite.other.query('COMMIT');
    expect((await suite.sql.query('SELECT FROM outbox')).rowCount).toBe(left);
  });

  test.each([
    ['a rewriting ALTER TABLE', 'ALTER TABLE outbox ALTER COLUMN type TYPE varchar(99)'],
    ['TRUNCATE', 'TRUNCATE outbox'],
  ])('%s waits for the pass, which sees all its rows', async (_, ddl) => {
    await suite.sql.query(harness.insertKeys('a', 'b', 'c'));
    const pass = await suite.reader.open(harness.request(), never);
    await suite.sql.query(`SET lock_timeout = '100ms'`);
    await expect(suite.sql.query(ddl)).rejects.toMatchObject({ code: '55P03' });
    expect(harness.keys(await harness.drain(pass))).toEqual(['a', 'b', 'c']);
    await suite.sql.query(ddl);
    await suite.sql.query('RESET lock_timeout');
  });

  test.each([
    ['a rewriting ALTER TABLE', 'ALTER TABLE outbox ALTER COLUMN type TYPE varchar(99)', ['a', 'b', 'c']],
    ['TRUNCATE', 'TRUNCATE outbox', []],
  ])('a pass that begins during %s takes its snapshot after it', async (_, ddl, left) => {
    await suite.sql.query(harness.insertKeys('a', 'b', 'c'));
    await suite.other.query(`BEGIN; ${ddl}`);
    const opening = suite.reader.open(harness.request(), never);
    await until(async () => (await suite.sql.query(`SELECT FROM pg_locks WHERE NOT granted`)).rowCount === 1, {
      what: 'the pass to wait for the lock',
    });
    const { rows } = await suite.other.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
    await suite.other.query('COMMIT');
    const pass = await opening;
    expect(isVisible(pass.snapshot, BigInt(rows[0]!.xid))).toBe(true);
    expect(harness.keys(await harness.drain(pass))).toEqual(left);
  });

  test('reads in the snapshot that it tells, not in that of its query', async () => {
    const client = await connectSql(suite.postgres, 'table', IN_ORDER_SETTINGS);
    await suite.sql.query(harness.insertKeys('a'));
    const { snapshot } = await beginPass(client, harness.outbox(), 1_000);
    await suite.sql.query(harness.insertKeys('b'));
    const { rows } = await client.query<{ text: string; keys: string[] }>(
      `SELECT pg_current_snapshot()::text AS text, array_agg(aggregateid) AS keys FROM public.outbox`,
    );
    await closeConnection(client);
    expect(parseSnapshot(rows[0]!.text)).toEqual(snapshot);
    expect(rows[0]!.keys).toEqual(['a']);
  });

  test('says so when the lock is not to be had, and goes on afterwards', async () => {
    suite.reader = suite.readerWith(NO_FILTERS, 100);
    await suite.sql.query(harness.insertKeys('a'));
    await suite.other.query('BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE');
    await expect(suite.reader.open(harness.request(), never)).rejects.toMatchObject({ code: 'table_rewritten' });
    await suite.other.query('COMMIT');
    expect(await suite.read(suite.reader)).toEqual(['a']);
  });

  test('tells the snapshot it reads in, and an insert position above all that it sees', async () => {
    await suite.other.query('BEGIN');
    const running = await suite.other.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
    const { rows } = await suite.sql.query<{ xid: string }>(
      `${harness.insertKeys('a')} RETURNING pg_current_xact_id()::text AS xid`,
    );
    const { rows: after } = await suite.sql.query<{ lsn: string }>(
      `SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS lsn`,
    );
    const pass = await suite.reader.open(harness.request(), never);
    await pass.close();
    await suite.other.query('ROLLBACK');
    expect(isVisible(pass.snapshot, BigInt(rows[0]!.xid))).toBe(true);
    expect(isVisible(pass.snapshot, BigInt(running.rows[0]!.xid))).toBe(false);
    expect(pass.insertLsn).toBeGreaterThanOrEqual(BigInt(after[0]!.lsn));
  });

  test('assigns a new transaction id each time', async () => {
    const first = await suite.reader.assignXid();
    const second = await suite.reader.assignXid();
    expect(second).toBeGreaterThan(first);
    const pass = await suite.reader.open(harness.request(), never);
    await pass.close();
    // Not xmin: it stays low while anybody on the server, in whichever database, has a transaction running.
    expect(pass.snapshot.xmax).toBeGreaterThan(second);
    expect(isVisible(pass.snapshot, second)).toBe(true);
  });
});
