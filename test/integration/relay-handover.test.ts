import { expect, it } from 'vitest';
import { readTopic } from '../support/kafka-reader.ts';
import { freshTopic } from '../support/kafka-topic.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { account, faults } from '../support/workload/accounting.ts';
import { eventsInTopic } from '../support/workload/arrivals.ts';
import { TRANSACTION_KINDS } from '../support/workload/kinds.ts';
import { startWorkload } from '../support/workload/workload.ts';

const HANDOVERS = 10;

describeWithService('kafka', 'handovers under writers', ({ url: brokers }) => {
  const database = freshDatabase();

  it('lose nothing, invent nothing, repeat nothing, and keep the order of each key', async () => {
    const outbox = await relayOutbox(database.url);
    const topic = await freshTopic(brokers);
    const workload = await startWorkload({ url: database.url, outbox: outbox.name, seed: 1 });
    const destinations = { kafka: { type: 'kafka', brokers } };
    const relay = await startRelay(outbox.config({ destinations, routes: [{ destination: 'kafka', topic }] }));

    for (let handovers = 0; handovers < HANDOVERS; handovers++) {
      const { since } = (await relay.untilState('streaming', 'kafka')).destinations[0]!;
      await workload.progress(60);
      expect(await outbox.endWalsender()).toBe(1);
      await relay.waitFor('the end of the stream', ({ destinations: [kafka] }) => kafka?.since !== since);
    }
    await relay.untilState('streaming', 'kafka');
    await workload.progress(200);
    const written = await workload.stop();
    // by the stream alone, which would leave behind for good what a handover had left out
    await outbox.untilEmpty();

    const arrived = eventsInTopic(await readTopic(brokers, topic));
    expect(faults(account(written, arrived), 'none')).toEqual([]);
    expect(written.committed.length).toBeGreaterThan(HANDOVERS * 60);
    expect(Object.keys(written.kinds).sort()).toEqual(
      Object.keys(TRANSACTION_KINDS)
        .filter((kind) => kind !== 'rolled-back')
        .sort(),
    );
    expect(written.rolledBack.size).toBeGreaterThan(0);
    const reason = 'stream-ended';
    expect(await relay.metric('transitions_total', { from: 'streaming', to: 'catchup', reason })).toBe(HANDOVERS);
    expect(await relay.metric('stream_skipped_total')).toBeGreaterThan(0);

    expect(await relay.end('SIGTERM')).toBe('exit code 0');
    await outbox.untilNoSlot();
  }, 180_000);
});
