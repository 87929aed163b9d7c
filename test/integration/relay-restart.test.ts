import { expect, it } from 'vitest';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { account, faults } from '../support/workload/accounting.ts';

// longer transactions, so that catchup and handover last long enough to be met
const MIX = { long: 6 };
const STATES = ['catchup', 'handover', 'streaming'] as const;

describeWithService('kafka', 'a relay that ends under load', ({ url: brokers }) => {
  const database = freshDatabase();

  it('and is killed loses nothing, whatever it was doing, and leaves no slot behind', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const workload = await stage.write(2, { mix: MIX });
    for (const state of STATES) {
      const relay = await startRelay(stage.config);
      await relay.untilState(state);
      if (state === 'streaming') await workload.progress(100);
      expect(await relay.end('SIGKILL')).toBe('SIGKILL');
    }
    const relay = await startRelay(stage.config);
    await relay.untilState('streaming');
    await workload.progress(100);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();

    expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
    expect(written.committed.length).toBeGreaterThan(200);
    expect(await stage.outbox.slots()).toEqual([(await relay.status()).stream.slot]);
  }, 120_000);

  it('and is asked to end drains: exit code 0, and nothing is published twice', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const workload = await stage.write(3, { mix: MIX });
    for (const state of STATES) {
      const relay = await startRelay(stage.config);
      await relay.untilState(state);
      if (state === 'streaming') await workload.progress(100);
      expect(await relay.end('SIGTERM')).toBe('exit code 0');
      await stage.outbox.untilNoSlot();
    }
    const relay = await startRelay(stage.config);
    await relay.untilState('streaming');
    const written = await workload.stop();
    await stage.outbox.untilEmpty();

    expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
    expect(written.committed.length).toBeGreaterThan(100);
  }, 120_000);
});
