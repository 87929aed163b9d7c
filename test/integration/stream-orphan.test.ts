/**
 * What a relay leaves on the server that is killed, or stopped (SIGSTOP) without its connections being closed, ends by
 * itself, without any successor: beside a permanent slot, which retains all log.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type pg from 'pg';
import { describe, expect, test, type TestContext } from 'vitest';
import { advanceLog, openTransaction, retainedLog, SEGMENT_BYTES } from '../support/server-log.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/stream-harness.ts';

/** Each timeout of a replication session is 30 s; the rest is for a slow machine. */
const ENDS_WITHIN_MS = 90_000;
const CONTROL = 'control';

/** A server with an outbox and the slot that nobody reads. */
async function start({ onTestFinished }: TestContext, version: '14' | '18') {
  const settings = { max_wal_size: '32MB', min_wal_size: '32MB', wal_init_zero: 'off' };
  const server = await startPostgres({ version, settings });
  onTestFinished(() => server.dispose());
  const sql = await harness.connect(server.url);
  await sql.query(harness.CREATE_OUTBOX);
  await sql.query(`SELECT pg_create_logical_replication_slot('${CONTROL}', 'pgoutput')`);
  return { server, sql };
}

/** A process that opens a stream. */
function startStreaming({ onTestFinished }: TestContext, { url }: StartedPostgres) {
  const child = fork(new URL('../support/stream-child.ts', import.meta.url), [url], { execArgv: ['--import', 'tsx'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

const slots = async (sql: pg.Client): Promise<readonly string[]> =>
  (await harness.slotNames(sql)).filter((name) => name !== CONTROL);

async function untilSlotWaits(sql: pg.Client): Promise<void> {
  const waiting = `SELECT 1 FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
    WHERE a.wait_event_type = 'Lock'`;
  await until(async () => (await sql.query(waiting)).rowCount === 1, { what: 'a slot that waits' });
}

/** Waits until the stream's slot has gone; from then on the log that comes is retained by the control only. */
async function untilLetGo(server: StartedPostgres, sql: pg.Client): Promise<void> {
  const before = await retainedLog(server, CONTROL);
  expect(await slots(sql)).toHaveLength(1);
  await until(async () => (await slots(sql)).length === 0, {
    what: 'the orphan to end',
    timeoutMs: ENDS_WITHIN_MS,
    everyMs: 200,
  });
  await advanceLog(server, 5);
  expect(await retainedLog(server, 'stream_test')).toBe(0);
  expect((await retainedLog(server, CONTROL)) - before).toBeGreaterThan(4 * SEGMENT_BYTES);
}

// not each on each version: every one has a server of its own
describe.concurrent('the slot of a relay', { timeout: 180_000 }, () => {
  test.for(['14', '18'] as const)(
    'Postgres %s: that is killed while the creation of the slot waits for a transaction that never ends',
    async (version, context) => {
      const { server, sql } = await start(context, version);
      const writer = await openTransaction(server.url);
      const child = startStreaming(context, server);
      await untilSlotWaits(sql);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await untilLetGo(server, sql);
      await Promise.all([sql.end(), writer.end()]);
    },
  );

  test('that is stopped in mid-stream', async (context) => {
    const { server, sql } = await start(context, '18');
    const child = startStreaming(context, server);
    await once(child, 'message');
    child.kill('SIGSTOP');
    await untilLetGo(server, sql);
    await sql.end();
  });

  test('that is stopped while the creation of the slot waits for a transaction, which then ends', async (context) => {
    const { server, sql } = await start(context, '14');
    const writer = await openTransaction(server.url);
    const child = startStreaming(context, server);
    await untilSlotWaits(sql);
    child.kill('SIGSTOP');
    await writer.query('COMMIT');
    await untilLetGo(server, sql);
    await Promise.all([sql.end(), writer.end()]);
  });
});
