/** Another server becomes the primary, and the old one does not always know. */
import { expect, it, onTestFinished } from 'vitest';
import type { RelayConfig } from '../support/relay-child.ts';
import type { RelayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage, type KafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService } from '../support/service.ts';
import { type StartedPostgres, type StartedStandby, startPostgres } from '../support/services/postgres.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';
import { connectAdmin } from '../support/outbox.ts';
import { account, faults } from '../support/workload/accounting.ts';

const DATABASE = 'shop';

describeWithService('kafka', 'when another server becomes the primary', ({ url: brokers }) => {
  describeWithLauncher('postgres', 'the relay', () => {
    /** A primary with an outbox behind a proxy, which is everybody's way to it but the relay's, and its standby. */
    async function prepare(capture: RelayConfig = {}): Promise<{
      primary: StartedPostgres;
      standby: StartedStandby;
      proxy: TcpProxy;
      stage: KafkaStage;
    }> {
      const primary = await startPostgres();
      onTestFinished(() => primary.dispose());
      await primary.createDatabase(DATABASE);
      const servers: StartedPostgres[] = [];
      onTestFinished(async () => {
        for (const server of servers) await server.dispose();
      });
      const proxy = await TcpProxy.start(primary);
      onTestFinished(() => proxy.dispose());
      const stage = await kafkaStage(`postgres://postgres@${proxy.address}/${DATABASE}`, brokers, { capture });
      const standby = await primary.startStandby();
      servers.push(standby);
      await untilStreaming(primary);
      return { primary, standby, proxy, stage };
    }

    function untilStreaming(primary: StartedPostgres): Promise<unknown> {
      const streams = `SELECT FROM pg_stat_replication WHERE application_name = 'walreceiver' AND state = 'streaming'`;
      return until(async () => (await primary.query(streams)).length === 1, { what: 'the standby to stream' });
    }

    function withHosts(config: RelayConfig, ...servers: readonly { readonly port: number }[]): RelayConfig {
      const host = servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
      return { ...config, postgres: { ...(config.postgres as RelayConfig), host, port: undefined } };
    }

    /** No session of the relay is left: that which looks at the lag leaves last. */
    async function untilAbandoned(server: StartedPostgres, { role }: RelayOutbox): Promise<void> {
      const sessions = `SELECT FROM pg_stat_activity WHERE usename = '${role}'`;
      await until(async () => (await server.query(sessions)).length === 0, { what: 'the relay to leave a server' });
    }

    async function insert(server: StartedPostgres, { table }: RelayOutbox, key: string): Promise<void> {
      const client = await connectAdmin(server.urlOf(DATABASE));
      await client.query(
        `SET synchronous_commit = local;
         INSERT INTO ${table} (aggregatetype, aggregateid, type, payload) VALUES ('order', '${key}', 'sent', '{}')`,
      );
      await client.end();
    }

    it('follows, loses nothing, invents nothing, and has nothing to do with the old one when that comes back', async () => {
      const { primary, standby, proxy, stage } = await prepare({ publishWhen: 'visible' });
      const { outbox } = stage;
      // what is visible is then on the standby, too
      await primary.query(`ALTER SYSTEM SET synchronous_standby_names = 'walreceiver'`);
      await primary.query('SELECT pg_reload_conf()');
      const workload = await stage.write(21, { mix: { async: 0 } });
      const relay = await startRelay(withHosts(stage.config, primary, standby));
      await relay.untilState('streaming');
      await workload.progress(100);

      await primary.kill();
      await standby.promote();
      proxy.target = standby;
      await relay.untilTold('postgres_primary_changed');
      await relay.untilState('streaming');
      await workload.progress(100);

      await primary.restart();
      await insert(primary, outbox, 'left behind');
      await standby.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${outbox.role}' AND application_name !~ 'leader'`,
      );
      await relay.untilState('catchup');
      await relay.untilState('streaming');
      await workload.progress(50);

      await standby.stop('fast');
      await relay.untilTold('postgres_stale_primary');
      await standby.restart();
      await relay.untilState('streaming');
      await workload.progress(50);
      const written = await workload.stop();
      await outbox.untilEmpty();
      expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
      await untilAbandoned(primary, outbox);
      expect(relay.running).toBe(true);
    }, 180_000);

    it('ends its term when a session comes to another one than the rest', async () => {
      const { primary, standby, proxy, stage } = await prepare();
      const { outbox } = stage;
      // as behind a name or a virtual address: new sessions are led elsewhere, the old ones live on
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      await insert(primary, outbox, 'before');
      await until(async () => (await stage.keys()).length === 1, { what: 'the row of before' });
      await outbox.untilEmpty();
      const sent = await primary.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
      const received = `SELECT FROM pg_stat_replication WHERE replay_lsn >= '${sent[0]!.lsn}'`;
      await until(async () => (await primary.query(received)).length === 1, { what: 'the standby to have it all' });
      await standby.promote();
      proxy.target = standby;
      await insert(primary, outbox, 'still there');
      await until(async () => (await stage.keys()).length === 2, { what: 'the row of the server that it is on' });

      await primary.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${outbox.role}' AND application_name LIKE '% settle'`,
      );
      await insert(primary, outbox, 'to be deleted');
      await relay.untilTold('postgres_other_primary');
      await relay.untilTold('postgres_primary_changed');
      await relay.untilState('streaming');
      await untilAbandoned(primary, outbox);
      await insert(primary, outbox, 'left behind');
      await insert(standby, outbox, 'after');
      await until(async () => (await stage.keys()).includes('after'), { what: 'the row of the new primary' });
      await outbox.untilEmpty();
      expect(await stage.keys()).not.toContain('left behind');
      expect(await relay.metric('missing_rows_total')).toBe(0);
    }, 180_000);
  });
});
