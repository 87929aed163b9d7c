import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { KAFKA_DEFAULTS } from '../../src/publish/kafka/options.ts';
import { createKafkaPublisher } from '../../src/publish/kafka/publisher.ts';
import { headerOf, readTopic } from '../support/kafka-reader.ts';
import { startKafka, type StartedKafka } from '../support/services/kafka.ts';
import { PublisherRecorder } from './publisher-recorder.ts';
import { expectedOrder, firstOccurrences, outgoing } from './publisher-suite.ts';

const missing = 'missing' in inject('services').kafka;
const cluster: StartedKafka | null = missing ? null : await startKafka({ brokers: 3 });

afterAll(() => cluster?.dispose());

describe.skipIf(missing).each(['direct', 'platformatic', 'kafkajs'] as const)('three Kafka brokers, by %s', (driver) => {
  test('leaders move in mid-stream: the session goes on, nothing is lost, order is kept', async () => {
    const kafka = cluster!;
    const topic = `test-${randomUUID()}`;
    await kafka.createTopic(topic, { partitions: 9 });
    const recorder = new PublisherRecorder();
    const options = { ...KAFKA_DEFAULTS, driver, brokers: kafka.brokers, requestTimeoutMs: 3_000, retryForMs: 40_000 };
    const session = await createKafkaPublisher(options).open(recorder, AbortSignal.timeout(20_000));
    const messages = Array.from({ length: 6_000 }, (_, n) =>
      outgoing({ address: { kind: 'topic', topic } }, { key: `key-${n % 61}` }),
    );
    let sent = 0;
    let moved: Promise<void> | undefined;
    try {
      await recorder.heard(() => {
        const [failure] = recorder.failures;
        if (failure !== undefined) throw failure;
        if (recorder.acked.length > 1_000) moved ??= kafka.kill(1);
        const room = 200 - (sent - recorder.acked.length);
        session.enqueue(messages.slice(sent, sent + room));
        sent = Math.min(sent + room, messages.length);
        return recorder.acked.length === messages.length;
      }, 'all acknowledgements');
      await moved;
      await kafka.restart(1);
    } finally {
      await session.close(1_000);
    }
    expect(recorder.retries.length).toBeGreaterThan(0);
    const stored = await readTopic(kafka.brokers, topic);
    const found = stored.map((record) => ({ id: headerOf(record, 'id') ?? '', key: record.key?.toString() ?? null }));
    expect(firstOccurrences(found)).toEqual(expectedOrder(messages));
  });
});
