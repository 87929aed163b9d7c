import { expect, it } from 'vitest';
import { readTopic } from '../support/kafka-reader.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

/** A few times what the budget holds. */
const SMALL = 20_000;
const LARGE = 200_000;

describeWithService('kafka', 'a transaction far larger than limits.memory', ({ url: brokers }) => {
  const database = freshDatabase();

  it('arrives completely, in order, and takes little memory', async () => {
    const { outbox, topic, config } = await kafkaStage(database.url, brokers, { limits: { memory: '8MiB' } });
    const insert = (
      from: number,
      to: number,
    ): string => `INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload)
      SELECT 'order', 'key-' || n % 100, 'sent', jsonb_build_object('n', n, 'padding', repeat('x', 200))
      FROM generate_series(${from}, ${to}) n`;
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    await outbox.admin.query(insert(1, SMALL));
    await outbox.untilEmpty();
    const peakOfSmall = await relay.peakMemory();
    await outbox.admin.query(insert(SMALL + 1, SMALL + LARGE));
    await outbox.untilEmpty(150_000);
    const records = await readTopic(brokers, topic);
    expect(records).toHaveLength(SMALL + LARGE);
    const latest = new Map<string, number>();
    for (const { key, value } of records) {
      const name = key?.toString() ?? '';
      const { n } = JSON.parse(value?.toString() ?? '') as { n: number };
      if (n <= (latest.get(name) ?? 0)) expect.fail(`${name}: ${n} after ${latest.get(name)}`);
      latest.set(name, n);
    }
    // ten times the rows; what grows is garbage that waits to be collected, up to a bound
    expect(await relay.peakMemory()).toBeLessThan(2 * peakOfSmall);
    await relay.untilState('streaming');
  }, 240_000);
});
