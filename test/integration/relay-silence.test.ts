import { expect, it, onTestFinished } from 'vitest';
import type { RelayConfig } from '../support/relay-child.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { account, faults } from '../support/workload/accounting.ts';

describeWithService('kafka', 'when the network swallows what the relay and Postgres say', ({ url: brokers }) => {
  const database = freshDatabase();

  it('all sessions are given up in time, and made anew on another way, at every stage', async () => {
    const stage = await kafkaStage(database.url, brokers, { leader: { lease: '3s' } });
    const { hostname: host, port } = new URL(database.url);
    const ways = await Promise.all([0, 1].map(() => TcpProxy.start({ host, port: Number(port) })));
    onTestFinished(() => Promise.all(ways.map((way) => way.dispose())).then(() => undefined));
    const postgres = {
      ...(stage.config.postgres as RelayConfig),
      host: ways.map(({ address }) => address).join(','),
      port: undefined,
      connectTimeout: '500ms',
    };
    const workload = await stage.write(41);
    const relay = await startRelay({ ...stage.config, postgres });
    // while it streams, as soon as it leads again, and while it streams
    for (const [round, way] of [ways[0]!, ways[1]!, ways[0]!].entries()) {
      if (round !== 1) await relay.untilState('streaming');
      way.blackhole();
      await relay.untilRole('standby');
      await relay.untilRole('leader');
      await workload.progress(20);
      await way.heal();
    }
    await relay.untilState('streaming');
    await workload.progress(50);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
    expect((await relay.status()).lastErrors.map(({ code }) => code)).toContain('leadership_lost');
  }, 120_000);
});
