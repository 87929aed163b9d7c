import { expect, it, onTestFinished } from 'vitest';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService } from '../support/service.ts';
import { startPostgres } from '../support/services/postgres.ts';
import { account, faults } from '../support/workload/accounting.ts';

const CRASHES = 3;

describeWithService('kafka', 'when Postgres crashes under load', ({ url: brokers }) => {
  describeWithLauncher('postgres', 'and comes back', () => {
    it('what was committed arrives, and nothing that the crash took back', async () => {
      // commits that do not wait for the disk are in danger for long
      const server = await startPostgres({ settings: { wal_writer_delay: '2s' } });
      onTestFinished(() => server.dispose());
      const stage = await kafkaStage(await server.createDatabase('shop'), brokers);
      const workload = await stage.write(11, { mix: { async: 8 } });
      const relay = await startRelay(stage.config);
      for (let crash = 0; crash < CRASHES; crash++) {
        // once each while polling, during whatever comes between, and while streaming
        if (crash !== 1) await relay.untilState(crash === 0 ? 'catchup' : 'streaming');
        await workload.progress(60);
        await server.stop('immediate');
        await server.restart();
      }
      await relay.untilState('streaming');
      await workload.progress(100);
      const written = await workload.stop();
      await stage.outbox.untilEmpty();
      expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
      expect(written.committed.length).toBeGreaterThan(CRASHES * 60);
    }, 180_000);
  });
});
