import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { connectAdmin } from '../support/outbox.ts';
import type { RelayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import { account, faults } from '../support/workload/accounting.ts';

/** The process that leads, and how many terms of leadership there have been. */
async function lease({ admin, name }: RelayOutbox): Promise<{ readonly pid: number; readonly epoch: number }> {
  const { rows } = await admin.query<{ holder: string; epoch: number }>(
    `SELECT holder, epoch::int AS epoch FROM ${quoteTable(companionTables(name).lease)}`,
  );
  const { holder, epoch } = rows[0]!;
  return { pid: Number(holder.split(' ').at(-1)), epoch };
}

const BATCH_ROWS = 10;

describeWithService('kafka', 'leadership', ({ url: brokers }) => {
  const database = freshDatabase();

  it('passes to the standby when the leader is killed', async () => {
    // by the lock, which goes with the connection: the lease would take until after the end of the test
    const stage = await kafkaStage(database.url, brokers, { leader: { lease: '300s' } });
    const workload = await stage.write(7);
    const first = await startRelay(stage.config);
    await first.untilState('streaming');
    const second = await startRelay(stage.config);
    expect((await second.untilRole('standby')).destinations).toEqual([]);
    await workload.progress(100);
    expect(await second.metric('published_total')).toBe(0);

    await first.end('SIGKILL');
    await second.untilState('streaming');
    await workload.progress(100);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
    expect((await lease(stage.outbox)).pid).toBe(second.pid);
    expect(await stage.outbox.slots()).toHaveLength(1);
  }, 120_000);

  it('passes on when the leader falls silent, which publishes nothing more when it awakes', async () => {
    const stage = await kafkaStage(database.url, brokers, { leader: { lease: '5s' } });
    const workload = await stage.write(8);
    const first = await startRelay(stage.config);
    await first.untilState('streaming');
    const second = await startRelay(stage.config);
    await second.untilRole('standby');
    await workload.progress(50);

    first.signal('SIGSTOP');
    await second.untilState('streaming');
    await workload.progress(50);
    first.signal('SIGCONT');
    await first.untilRole('standby');
    const published = await first.metric('published_total');
    await workload.progress(100);
    expect(await first.metric('published_total')).toBe(published);

    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
    expect((await lease(stage.outbox)).pid).toBe(second.pid);
  }, 120_000);

  it('that has passed on while the leader was stopped in the middle of a backlog leaves it one batch at most', async () => {
    const stage = await kafkaStage(database.url, brokers, {
      leader: { lease: '3s' },
      destinations: { kafka: { type: 'kafka', brokers, batchRows: BATCH_ROWS } },
    });
    const { admin, table } = stage.outbox;
    await admin.query(`INSERT INTO ${table} (aggregatetype, aggregateid, type, payload)
      SELECT 'order', n % 100, 'Created', '{}' FROM generate_series(1, 20000) n`);
    const first = await startRelay(stage.config);
    await until(async () => (await first.metric('published_total')) > 0, { what: 'the first to publish', everyMs: 5 });
    first.signal('SIGSTOP');
    const left = await stage.outbox.size();
    expect(left).toBeGreaterThan(BATCH_ROWS);

    const second = await startRelay(stage.config);
    await second.untilState('streaming');
    await stage.outbox.untilEmpty();
    const before = (await stage.keys()).length;
    first.signal('SIGCONT');
    await first.untilRole('standby');
    await first.end('SIGTERM');
    expect((await stage.keys()).length - before).toBeLessThanOrEqual(BATCH_ROWS);
  }, 120_000);

  it('that is lost with its connection stops publishing at once, and is won back', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { admin, table } = stage.outbox;
    const workload = await stage.write(9);
    const relay = await startRelay(stage.config);
    await relay.untilState('streaming');
    await workload.progress(100);

    const { epoch } = await lease(stage.outbox);
    // whoever waits for the lock in the server's queue has it before the relay can ask again
    const rival = await connectAdmin(database.url);
    const taken = rival.query('SELECT pg_advisory_lock(hashtext($1), 0)', [`outbox-relay ${table}`]);
    const lock = (condition: string): string => `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ${condition}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    await until(async () => (await admin.query(lock('NOT granted'))).rowCount === 1, {
      what: 'the rival in the queue',
    });
    await admin.query(`SELECT pg_terminate_backend(pid) FROM (${lock('granted')}) leader`);
    await taken;
    await relay.untilRole('standby');
    const published = (await stage.arrived()).length;
    await workload.progress(50);
    expect((await stage.arrived()).length).toBe(published);

    await rival.end();
    await relay.untilState('streaming');
    await workload.progress(50);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
    expect((await lease(stage.outbox)).epoch).toBeGreaterThan(epoch);
    expect((await relay.status()).lastErrors.map(({ code }) => code)).toContain('leadership_lost');
  }, 120_000);
});
