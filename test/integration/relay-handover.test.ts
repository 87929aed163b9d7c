import { expect, it } from 'vitest';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { account, faults } from '../support/workload/accounting.ts';
import { TRANSACTION_KINDS } from '../support/workload/kinds.ts';

const HANDOVERS = 10;

describeWithService('kafka', 'handovers under writers', ({ url: brokers }) => {
  const database = freshDatabase();

  it('lose nothing, invent nothing, repeat nothing, and keep the order of each key', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const workload = await stage.write(1, { writers: 8, pauseMs: 3 });
    const relay = await startRelay(stage.config);

    for (let handovers = 0; handovers < HANDOVERS; handovers++) {
      const { since } = (await relay.untilState('streaming')).destinations[0]!;
      await workload.progress(60);
      expect(await stage.outbox.endWalsender()).toBe(1);
      await relay.waitFor('the end of the stream', ({ destinations: [kafka] }) => kafka?.since !== since);
    }
    await relay.untilState('streaming');
    await workload.progress(200);
    const written = await workload.stop();
    // by the stream alone, which would leave behind for good what a handover had left out
    await stage.outbox.untilEmpty();

    expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
    expect(written.committed.length).toBeGreaterThan(HANDOVERS * 60);
    const committing = Object.keys(TRANSACTION_KINDS).filter((kind) => kind !== 'rolled-back');
    expect(Object.keys(written.kinds).sort()).toEqual(committing.sort());
    expect(written.rolledBack.size).toBeGreaterThan(0);
    const broken = { from: 'streaming', to: 'catchup', reason: 'stream-ended' };
    expect(await relay.metric('transitions_total', broken)).toBe(HANDOVERS);
    expect(await relay.metric('stream_skipped_total')).toBeGreaterThan(0);

    expect(await relay.end('SIGTERM')).toBe('exit code 0');
    await stage.outbox.untilNoSlot();
  }, 180_000);
});
