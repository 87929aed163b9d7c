/** What becomes of streams: opening, pausing, closing, and every way to end. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { assertSameServer, identifySystem } from '../../src/capture/stream/same-server.ts';
import { endPredecessors } from '../../src/capture/stream/slot.ts';
import { streamSource, type StreamOptions } from '../../src/capture/stream/stream-source.ts';
import type { RelayError } from '../../src/core/errors.ts';
import type { SlotSample } from '../../src/core/status.ts';
import { closeConnection, connectReplication } from '../../src/postgres/connection.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/stream-harness.ts';

const never = new AbortController().signal;

describe.each(['14', '18'] as const)('Postgres %s', (version) => {
  let server: StartedPostgres;
  let sql: pg.Client;
  let url: string;
  let databases = 0;

  beforeAll(async () => {
    server = await startPostgres({ version });
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    url = await server.createDatabase(`lifecycle_${++databases}`);
    sql = await harness.connect(url);
    await sql.query(harness.CREATE_OUTBOX);
    return () => sql.end().catch(() => undefined);
  });

  const options = (overrides: Partial<StreamOptions> = {}): StreamOptions => harness.streamOptions(url, overrides);

  async function openStream(overrides: Partial<StreamOptions> = {}, signal: AbortSignal = never) {
    const recorder = new harness.Recorder();
    const stream = await streamSource(options(overrides)).open(recorder, signal);
    return { recorder, stream };
  }

  const slotsGone = (): Promise<unknown> =>
    until(async () => (await harness.slotNames(sql)).length === 0, {
      what: 'the slots to go',
      details: async () => (await harness.slotNames(sql)).join(),
    });

  test('progress passes what was committed, transactions or not; what commits after opening is delivered', async () => {
    const { recorder, stream } = await openStream();
    await sql.query(harness.insertRows(3));
    await sql.query('CREATE TABLE other (n int); INSERT INTO other VALUES (1)');
    const end = await harness.insertPosition(sql);
    await recorder.untilReached(end);
    expect(recorder.rows).toHaveLength(3);
    expect(recorder.transactions[0]!.commitLsn).toBeLessThan(recorder.reached);
    expect(recorder.breaches).toEqual([]);
    await stream.close();
  });

  test('close leaves no slot and no session, is quick, silent, and may be repeated', async () => {
    const { recorder, stream } = await openStream();
    await sql.query(harness.insertRows(1));
    await recorder.untilRows(1);
    expect(await harness.slotNames(sql)).toEqual([stream.slotName]);
    const from = performance.now();
    await Promise.all([stream.close(), stream.close()]);
    expect(performance.now() - from).toBeLessThan(3000);
    await slotsGone();
    await stream.close();
    expect(recorder.error).toBeNull();
    const sessions = `SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'stream-test %'`;
    await until(async () => (await sql.query(sessions)).rowCount === 0, { what: 'the sessions to go' });
  });

  test('closing a paused stream with much before it is quick and leaves no slot', async () => {
    const { recorder, stream } = await openStream();
    stream.pause();
    await sql.query(harness.insertRows(100_000));
    const from = performance.now();
    await stream.close();
    expect(performance.now() - from).toBeLessThan(3000);
    await slotsGone();
    const told = recorder.rows.length;
    expect(recorder.error).toBeNull();
    await sql.query(harness.insertRows(1));
    expect(recorder.rows).toHaveLength(told);
  });

  test('a pause of four times wal_sender_timeout is survived, and nothing is lost', async () => {
    const { recorder, stream } = await openStream({ walSenderTimeoutMs: 3000 });
    stream.pause();
    stream.pause();
    // More than the buffers of both sides hold, so that the server is held up in mid-transaction.
    await sql.query(`INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
      SELECT 'order', n::text, 'created', to_jsonb(repeat(md5(n::text), 100)) FROM generate_series(1, 8000) n`);
    const told = recorder.rows.length;
    const start = await replyTime();
    await until(async () => (await replyTime()) - start >= 12_000, {
      what: '12 s of reports while paused',
      everyMs: 250,
    });
    expect(recorder.error).toBeNull();
    expect(recorder.rows).toHaveLength(told);
    stream.resume();
    await recorder.untilRows(8000);
    expect(recorder.rows.map(({ position }) => position)).toEqual(
      Array.from({ length: 8000 }, (_, at) => BigInt(at + 1)),
    );
    await stream.close();
  });

  /** When the server last heard of the stream, by its own clock, in milliseconds. */
  async function replyTime(): Promise<number> {
    const { rows } = await sql.query<{ ms: number }>(
      `SELECT extract(epoch FROM reply_time)::float8 * 1000 AS ms FROM pg_stat_replication
        WHERE application_name = 'stream-test stream'`,
    );
    return rows[0]!.ms;
  }

  test('reported positions let the server recycle its log, and a fast shutdown does not wait', async () => {
    const { recorder, stream } = await openStream();
    await sql.query(harness.insertRows(10));
    const end = await harness.insertPosition(sql);
    await recorder.untilReached(end);
    await until(
      async () => {
        const { rows } = await sql.query<{ behind: number }>(
          `SELECT (confirmed_flush_lsn - $2::pg_lsn)::float8 AS behind FROM pg_replication_slots WHERE slot_name = $1`,
          [stream.slotName, `${(end >> 32n).toString(16)}/${(end & 0xffffffffn).toString(16)}`],
        );
        return rows[0]!.behind >= 0;
      },
      { what: 'the confirmed position' },
    );
    await sql.end();
    const from = performance.now();
    await server.restart();
    expect(performance.now() - from).toBeLessThan(10_000);
    expect((await recorder.untilEnded()).code).toBe('replication_failed');
    await stream.close();
    sql = await harness.connect(url);
    expect(recorder.breaches).toEqual([]);
  });

  test('a transaction larger than its limit ends the stream with buffer_full, once', async () => {
    const { recorder, stream } = await openStream({ maxTransactionBytes: 200_000 });
    await sql.query(harness.insertRows(10));
    await sql.query(harness.insertRows(5000));
    expect((await recorder.untilEnded()).code).toBe('buffer_full');
    expect(recorder.rows).toHaveLength(10);
    await stream.close();
    await slotsGone();
    expect(recorder.breaches).toEqual([]);
  });

  test('a terminated backend ends it with replication_failed', async () => {
    const { recorder, stream } = await openStream();
    await sql.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [
      stream.slotName,
    ]);
    expect((await recorder.untilEnded()).code).toBe('replication_failed');
    await stream.close();
    await slotsGone();
    expect(recorder.breaches).toEqual([]);
  });

  test('a publication that is dropped meanwhile ends it, on every version', async () => {
    const { recorder, stream } = await openStream({ watchIntervalMs: 100 });
    await sql.query(`DROP PUBLICATION outbox_relay; ${harness.insertRows(1)}`);
    expect((await recorder.untilEnded()).code).toMatch(/^replication_(failed|publication)$/);
    await stream.close();
    await expect(openStream()).rejects.toMatchObject({
      code: 'replication_publication',
      remedy: expect.stringContaining('CREATE PUBLICATION') as string,
    });
    await slotsGone();
  });

  test('a table that leaves the publication ends it', async () => {
    const { recorder, stream } = await openStream({ watchIntervalMs: 50 });
    await sql.query('ALTER PUBLICATION outbox_relay DROP TABLE outbox');
    expect(await recorder.untilEnded()).toMatchObject({ code: 'replication_publication' });
    await stream.close();
  });

  test('retained log beyond the budget ends it, and is told as it grows', async () => {
    const samples: SlotSample[] = [];
    const warnings: string[] = [];
    const { recorder, stream } = await openStream({
      watchIntervalMs: 50,
      walBudgetBytes: 4_000_000,
      observer: {
        sampled: (sample) => {
          if (sample !== null) samples.push(sample);
        },
        waits: () => undefined,
        nearBudget: (warning) => warnings.push(warning.code),
      },
    });
    // An open transaction keeps the slot from letting go of the log that follows.
    const writer = await harness.connect(url);
    await writer.query('BEGIN; SELECT pg_current_xact_id()');
    await sql.query(`CREATE TABLE other (text text);
      INSERT INTO other SELECT repeat(md5(n::text), 100) FROM generate_series(1, 3000) n`);
    await sql.query(`ALTER TABLE other ALTER text SET STORAGE EXTERNAL;
      INSERT INTO other SELECT repeat(md5(n::text), 100) FROM generate_series(1, 3000) n`);
    expect((await recorder.untilEnded()).code).toBe('wal_budget_exceeded');
    expect(samples.at(-1)).toMatchObject({ name: stream.slotName, walStatus: 'reserved' });
    expect(samples.at(-1)!.retainedBytes).toBeGreaterThan(4_000_000);
    await Promise.all([stream.close(), writer.end()]);
    await slotsGone();
  });

  test('creation waits for open write transactions, and gives up in time without leaving anything', async () => {
    const writer = await harness.connect(url);
    await writer.query('BEGIN; SELECT pg_current_xact_id()');
    await expect(openStream({ slotTimeoutMs: 700 })).rejects.toMatchObject({
      code: 'replication_slot_waits',
      remedy: expect.stringContaining('pg_terminate_backend') as string,
    });
    await slotsGone();

    const opening = openStream();
    await slotWaits();
    await writer.query('COMMIT');
    const { recorder, stream } = await opening;
    await sql.query(harness.insertRows(1));
    await recorder.untilRows(1);
    await Promise.all([stream.close(), writer.end()]);
  });

  test('giving up by signal ends the creation, too', async () => {
    const writer = await harness.connect(url);
    await writer.query('BEGIN; SELECT pg_current_xact_id()');
    const stop = new AbortController();
    const opening = openStream({}, stop.signal);
    const refused = expect(opening).rejects.toMatchObject({ code: 'replication_failed' });
    await slotWaits();
    stop.abort();
    await refused;
    await slotsGone();
    await writer.end();
  });

  test('a relay killed while streaming leaves nothing behind', async () => {
    const child = await startChild();
    await until(async () => (await harness.slotNames(sql)).length === 1, { what: 'a slot' });
    await child.streaming;
    child.process.kill('SIGKILL');
    await slotsGone();
  });

  test('what a relay killed in mid-creation leaves is ended by its successor', async () => {
    const writer = await harness.connect(url);
    await writer.query('BEGIN; SELECT pg_current_xact_id()');
    const child = await startChild();
    const waiting = await slotWaits();
    child.process.kill('SIGKILL');
    await child.exited;
    // The backend waits on and does not notice.
    expect(await harness.slotNames(sql)).toEqual([waiting]);
    expect(await endPredecessors(sql, 'stream_test', 1)).toEqual([]);
    expect(await endPredecessors(sql, 'stream_test', 0)).toEqual([{ slotName: waiting, ended: true }]);
    expect(await harness.slotNames(sql)).toEqual([]);
    await writer.end();
  });

  test('another server, timeline or slot than that of the walsender is refused', async () => {
    const { stream } = await openStream();
    const { postgres } = options();
    const walsender = await connectReplication(postgres, 'identity');
    const session = new SqlSession(postgres, { role: 'identity' });
    const here = await identifySystem(walsender);
    await expect(assertSameServer(session, stream.slotName, here)).resolves.toBeUndefined();
    const elsewhere = { code: 'replication_indirect' };
    await expect(assertSameServer(session, 'elsewhere', here)).rejects.toMatchObject(elsewhere);
    const other = { ...here, systemId: '1' };
    await expect(assertSameServer(session, stream.slotName, other)).rejects.toMatchObject(elsewhere);
    const later = { ...here, timeline: here.timeline + 1 };
    await expect(assertSameServer(session, stream.slotName, later)).rejects.toMatchObject(elsewhere);
    await Promise.all([closeConnection(walsender), session.close(), stream.close()]);
  });

  test('a listener that throws ends the stream as a fault of the relay', async () => {
    const recorder = new harness.Recorder();
    const thrower = {
      transaction: () => {
        throw new TypeError('a bug');
      },
      progress: () => undefined,
      ended: (error: RelayError) => recorder.ended(error),
    };
    const stream = await streamSource(options()).open(thrower, never);
    await sql.query(harness.insertRows(2));
    expect((await recorder.untilEnded()).code).toBe('internal');
    await stream.close();
    expect(recorder.breaches).toEqual([]);
  });

  test('a permanent slot of the same naming is dropped when it is not in use', async () => {
    await sql.query(`SELECT pg_create_logical_replication_slot('stream_test_0_0123456789ab', 'pgoutput')`);
    await sql.query(`SELECT pg_create_logical_replication_slot('stream_test_0_mine', 'pgoutput')`);
    expect(await endPredecessors(sql, 'stream_test', 0)).toEqual([
      { slotName: 'stream_test_0_0123456789ab', ended: true },
    ]);
    expect(await harness.slotNames(sql)).toEqual(['stream_test_0_mine']);
    await sql.query(`SELECT pg_drop_replication_slot('stream_test_0_mine')`);
  });

  /** Waits until a slot's creation waits for a transaction; returns its name. */
  function slotWaits(): Promise<string> {
    return until(
      async () => {
        const { rows } = await sql.query<{ slot_name: string }>(
          `SELECT slot_name FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
            WHERE a.wait_event_type = 'Lock'`,
        );
        return rows[0]?.slot_name;
      },
      { what: 'a slot that waits' },
    );
  }

  /** A process of its own that opens a stream. */
  async function startChild() {
    const process = fork(new URL('../support/stream-child.ts', import.meta.url), [url], {
      execArgv: ['--import', 'tsx'],
    });
    const exited = once(process, 'exit');
    const streaming = once(process, 'message');
    streaming.catch(() => undefined);
    await once(process, 'spawn');
    return { process, exited, streaming };
  }
});
