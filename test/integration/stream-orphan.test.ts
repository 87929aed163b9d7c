/** What a relay that is killed leaves on the server ends by itself, without any successor. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/stream-harness.ts';

/** `lock_timeout` of every replication session is 30 s; the rest is for a slow machine. */
const ENDS_WITHIN_MS = 60_000;

test.concurrent.each(['14', '18'] as const)(
  'Postgres %s: the slot whose creation waits for a transaction that never ends',
  { timeout: 120_000 },
  async (version) => {
    await using server = await startPostgres({ version });
    const sql = await harness.connect(server.url);
    await sql.query(harness.CREATE_OUTBOX);
    const writer = await harness.connect(server.url);
    await writer.query('BEGIN; SELECT pg_current_xact_id()');
    const child = fork(new URL('../support/stream-child.ts', import.meta.url), [server.url], {
      execArgv: ['--import', 'tsx'],
    });
    const waiting = `SELECT 1 FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
      WHERE a.wait_event_type = 'Lock'`;
    await until(async () => (await sql.query(waiting)).rowCount === 1, { what: 'a slot that waits' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await harness.slotNames(sql)).toHaveLength(1);
    await until(async () => (await harness.slotNames(sql)).length === 0, {
      what: 'the orphan to end',
      timeoutMs: ENDS_WITHIN_MS,
      everyMs: 200,
    });
    await Promise.all([sql.end(), writer.end()]);
  },
);
