/** Trouble of the log lane that takes the whole server: see relay-fallback.test.ts for what has to be seen. */
import { it, onTestFinished } from 'vitest';
import { untilAccounted, untilPolling, untilStreaming, untilTold } from '../support/log-lane.ts';
import { meddlingProxy } from '../support/meddling-proxy.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { advanceLog, openTransaction } from '../support/server-log.ts';
import { describeWithLauncher, describeWithService } from '../support/service.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';

/** Changes nothing of the packet's length: the parameter becomes a setting that nobody knows. */
const ordinary = (packet: Buffer): Buffer =>
  Buffer.from(packet.toString('latin1').replace('replication\0', 'some.pooler\0'), 'latin1');

describeWithService('kafka', 'a relay that polls and streams again', ({ url: brokers }) => {
  describeWithLauncher('postgres', 'on a server of its own', () => {
    async function ownServer(settings: Record<string, string> = {}): Promise<StartedPostgres> {
      const server = await startPostgres({ settings });
      onTestFinished(() => server.dispose());
      return server;
    }

    it('while a pooler makes ordinary sessions of its walsenders, or takes them to another server', async () => {
      const [server, other] = await Promise.all([ownServer(), ownServer()]);
      const url = await server.createDatabase('shop');
      await other.createDatabase('shop');
      let meddles: 'ordinary' | 'elsewhere' | null = 'ordinary';
      await using pooler = await meddlingProxy(server, {
        startup: (packet) => (meddles === 'ordinary' ? ordinary(packet) : packet),
        elsewhere: (packet) => (meddles === 'elsewhere' && packet.includes('replication\0') ? other : null),
      });
      const stage = await kafkaStage(url, brokers);
      await other.query(`CREATE ROLE ${stage.outbox.role} LOGIN REPLICATION`);
      const workload = await stage.write(9);
      const postgres = stage.config.postgres as Record<string, unknown>;
      const relay = await startRelay({ ...stage.config, postgres: { ...postgres, port: pooler.port } });
      await untilPolling(relay, workload, 'replication_indirect', /SQLSTATE 42601/);
      meddles = 'elsewhere';
      await untilPolling(relay, workload, 'replication_indirect', /a session came to/);
      meddles = null;
      await untilStreaming(relay, workload);
      await untilAccounted(stage, workload, 'permitted');
    }, 180_000);

    it('with a low wal_level, then with no free slot, with no free walsender, and with a low wal_level again', async () => {
      const server = await ownServer({ wal_level: 'replica', max_replication_slots: '1', max_wal_senders: '1' });
      const url = await server.createDatabase('shop');
      const stage = await kafkaStage(url, brokers);
      const workload = await stage.write(6);
      const relay = await startRelay(stage.config);
      await untilPolling(relay, workload, 'replication_wal_level');

      await server.query(`SELECT pg_create_physical_replication_slot('somebody_elses')`);
      await server.restart({ wal_level: 'logical' });
      await untilPolling(relay, workload, 'replication_exhausted', /slot/);
      await server.query(`SELECT pg_drop_replication_slot('somebody_elses')`);
      await untilStreaming(relay, workload);

      const { slot } = (await relay.status()).stream;
      await stage.outbox.endWalsender();
      await relay.waitFor('another slot', ({ stream }) => stream.slot !== null && stream.slot !== slot);
      await untilStreaming(relay, workload);

      await server.restart({ wal_level: 'replica' });
      await untilPolling(relay, workload, 'replication_wal_level');
      await server.restart({ wal_level: 'logical', max_wal_senders: '0' });
      await untilPolling(relay, workload, 'replication_exhausted', /max_wal_senders/);
      await server.restart({ max_wal_senders: '1' });
      await untilStreaming(relay, workload);
      // the restarts may have cut off what was published and not yet deleted
      await untilAccounted(stage, workload, 'permitted');
    }, 240_000);

    it('when the server invalidates its slot', async () => {
      const server = await ownServer({ max_slot_wal_keep_size: '32MB', max_wal_size: '32MB', min_wal_size: '32MB' });
      const stage = await kafkaStage(await server.createDatabase('shop'), brokers);
      const workload = await stage.write(11, { mix: { prepared: 0 } });
      const relay = await startRelay(stage.config);
      await untilStreaming(relay, workload);
      const holder = await openTransaction(server.url);
      await advanceLog(server, 6);
      await server.query('CHECKPOINT');
      await untilTold(relay, 'replication_slot_lost');
      await holder.end();
      await untilStreaming(relay, workload);
      await untilAccounted(stage, workload, 'none');
    }, 120_000);
  });
});
