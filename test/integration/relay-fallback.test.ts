import { expect, it, onTestFinished } from 'vitest';
import { startRelay, type RelayProcess } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService, freshDatabase } from '../support/service.ts';
import { startPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import { account, faults } from '../support/workload/accounting.ts';
import type { Workload } from '../support/workload/workload.ts';

/** Waits until the relay has found that there is no stream to be had, for this reason, and sees it go on publishing. */
async function untilPolling(relay: RelayProcess, workload: Workload, reason: RegExp): Promise<void> {
  await relay.waitFor(`polling for want of ${reason.source}`, ({ lastErrors }) =>
    lastErrors.some(({ code, message }) => code === 'replication_unavailable' && reason.test(message)),
  );
  const before = await relay.metric('published_total', { lane: 'table' });
  await workload.progress(50);
  await until(async () => (await relay.metric('published_total', { lane: 'table' })) > before, {
    what: 'rows published by polling',
  });
  expect((await relay.status()).stream.open).toBe(false);
}

describeWithService(
  'kafka',
  'without replication the relay polls, and streams as soon as it may',
  ({ url: brokers }) => {
    const database = freshDatabase();

    it('when its role may not replicate', async () => {
      const stage = await kafkaStage(database.url, brokers, {}, { role: 'NOREPLICATION' });
      const workload = await stage.write(4);
      const relay = await startRelay(stage.config);
      await untilPolling(relay, workload, /./);
      await stage.outbox.admin.query(`ALTER ROLE ${stage.outbox.role} REPLICATION`);
      await relay.untilState('streaming');
      await workload.progress(100);
      const written = await workload.stop();
      await stage.outbox.untilEmpty();
      expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
      expect(await relay.metric('published_total', { lane: 'stream' })).toBeGreaterThan(0);
    }, 120_000);

    it('when it is told to poll, it never streams', async () => {
      const stage = await kafkaStage(database.url, brokers, { capture: { mode: 'polling' } });
      const workload = await stage.write(5);
      const relay = await startRelay(stage.config);
      await workload.progress(300);
      const written = await workload.stop();
      await stage.outbox.untilEmpty();
      expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
      expect(await relay.metric('published_total', { lane: 'table' })).toBe(written.committed.length);
      expect(await stage.outbox.slots()).toEqual([]);
    }, 120_000);

    describeWithLauncher('postgres', 'on a server', () => {
      it('with a low wal_level, then with no free slot', async () => {
        const server = await startPostgres({ settings: { wal_level: 'replica', max_replication_slots: '1' } });
        onTestFinished(() => server.dispose());
        const stage = await kafkaStage(await server.createDatabase('shop'), brokers);
        const workload = await stage.write(6);
        const relay = await startRelay(stage.config);
        await untilPolling(relay, workload, /wal_level/);

        await server.query(`SELECT pg_create_physical_replication_slot('somebody_elses')`);
        await server.restart({ wal_level: 'logical' });
        await untilPolling(relay, workload, /slot/);

        await server.query(`SELECT pg_drop_replication_slot('somebody_elses')`);
        await relay.untilState('streaming');
        await workload.progress(100);
        const written = await workload.stop();
        await stage.outbox.untilEmpty();
        // the restart may have cut off what was published and not yet deleted
        expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
      }, 180_000);
    });
  },
);
