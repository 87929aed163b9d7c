import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { KAFKA_DEFAULTS, type KafkaDriverName } from '../../src/publish/kafka/options.ts';
import { createKafkaPublisher } from '../../src/publish/kafka/publisher.ts';
import { headerOf, readTopic } from '../support/kafka-reader.ts';
import { startKafka, type StartedKafka } from '../support/services/kafka.ts';
import { PublisherRecorder } from './publisher-recorder.ts';
import { expectedOrder, firstOccurrences, outgoing } from './publisher-suite.ts';

const missing = 'missing' in inject('services').kafka;
const cluster: StartedKafka | null = missing ? null : await startKafka({ brokers: 3 });

afterAll(() => cluster?.dispose());

/** Streams 6,000 messages into two topics; once 1,000 are stored, broker 1 is in trouble. Checks what is stored. */
async function streamThrough(driver: KafkaDriverName, trouble: 'kill' | 'pause'): Promise<void> {
  const kafka = cluster!;
  const topics = [randomUUID(), randomUUID()].map((name) => `test-${name}`);
  for (const topic of topics) await kafka.createTopic(topic, { partitions: 9 });
  const recorder = new PublisherRecorder();
  const options = { ...KAFKA_DEFAULTS, driver, brokers: kafka.brokers, requestTimeoutMs: 1_500, retryForMs: 40_000 };
  const session = await createKafkaPublisher(options).open(recorder, AbortSignal.timeout(20_000));
  const messages = Array.from({ length: 6_000 }, (_, n) =>
    outgoing({ address: { kind: 'topic', topic: topics[n % 61 < 20 ? 0 : 1]! } }, { key: `key-${n % 61}` }),
  );
  let sent = 0;
  let troubled: Promise<void> | undefined;
  try {
    await recorder.heard(() => {
      const [failure] = recorder.failures;
      if (failure !== undefined) throw failure;
      if (recorder.acked.length > 1_000) troubled ??= kafka[trouble](1);
      const room = 200 - (sent - recorder.acked.length);
      session.enqueue(messages.slice(sent, sent + room));
      sent = Math.min(sent + room, messages.length);
      return recorder.acked.length === messages.length;
    }, 'all acknowledgements');
    await troubled;
  } finally {
    if (trouble === 'pause') await kafka.resume(1);
    await kafka.restart(1);
    await session.close(1_000);
  }
  expect(recorder.retries.length).toBeGreaterThan(0);
  const stored = (await Promise.all(topics.map((topic) => readTopic(kafka.brokers, topic)))).flat();
  const found = stored.map((record) => ({ id: headerOf(record, 'id') ?? '', key: record.key?.toString() ?? null }));
  expect(firstOccurrences(found)).toEqual(expectedOrder(messages));
}

describe.skipIf(missing)('three Kafka brokers', () => {
  test.each(['direct', 'platformatic', 'kafkajs'] as const)(
    'leaders move in mid-stream: the session of %s goes on, nothing is lost, order is kept',
    (driver) => streamThrough(driver, 'kill'),
  );

  // the libraries go on asking the broker that they have asked before, which may be the one that hangs
  test('a broker hangs in mid-stream: direct asks the others, which take over', () => streamThrough('direct', 'pause'));
});
