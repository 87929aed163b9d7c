import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, afterEach, describe, expect, inject, test } from 'vitest';
import { KAFKA_DEFAULTS, type KafkaOptions } from '../../src/publish/kafka/options.ts';
import { createKafkaPublisher } from '../../src/publish/kafka/publisher.ts';
import { headerOf, readTopic } from '../support/kafka-reader.ts';
import { startKafka, type StartedKafka, type TopicOptions } from '../support/services/kafka.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';
import { PublisherRecorder } from './publisher-recorder.ts';
import {
  expectedOrder,
  firstOccurrences,
  outgoing,
  publisherSuite,
  type PublisherTarget,
  type StoredMessage,
} from './publisher-suite.ts';

const service = inject('services').kafka;
const missing = 'missing' in service;

// a broker of its own, since these tests kill it; its plaintext listener is reached through a proxy
const proxy = await TcpProxy.start();
const kafka: StartedKafka | null = missing
  ? null
  : await startKafka({ listeners: ['plaintext', 'sasl'], advertised: [proxy.address] });
const [host = '', port = ''] = kafka?.addresses.plaintext[0]?.split(':') ?? [];
proxy.target = { host, port: Number(port) };

afterAll(async () => {
  await proxy.dispose();
  await kafka?.dispose();
});

function broker(): StartedKafka {
  if (kafka === null) throw new Error('Kafka is missing');
  return kafka;
}

const options = (more: Partial<KafkaOptions> = {}): KafkaOptions => ({
  ...KAFKA_DEFAULTS,
  brokers: [proxy.address],
  requestTimeoutMs: 4_000,
  retryForMs: 2_000,
  ...more,
});

/** Larger than `max.message.bytes`. */
const TOO_LARGE = { body: Buffer.alloc(1_500_000, 'x') };

interface TopicTarget extends PublisherTarget {
  readonly topic: string;
}

async function newTopic(topicOptions: TopicOptions = { partitions: 6 }): Promise<TopicTarget> {
  const topic = `test-${randomUUID()}`;
  await broker().createTopic(topic, topicOptions);
  return { topic, address: { kind: 'topic', topic }, poison: TOO_LARGE, readBack: () => readBack(topic) };
}

async function readBack(topic: string): Promise<readonly StoredMessage[]> {
  const records = await readTopic(broker().brokers, topic);
  return records.map((record) => ({
    id: headerOf(record, 'id') ?? '',
    key: record.key?.toString() ?? null,
    body: record.value,
    type: headerOf(record, 'type') ?? null,
    headers: record.headers
      .filter(([name]) => name !== 'id' && name !== 'type')
      .map(([name, value]) => [name, value?.toString() ?? ''] as const),
  }));
}

/** Opens a session, runs the test and closes the session. */
async function withSession(
  more: Partial<KafkaOptions>,
  body: (
    session: Awaited<ReturnType<ReturnType<typeof createKafkaPublisher>['open']>>,
    recorder: PublisherRecorder,
  ) => Promise<void>,
): Promise<void> {
  const recorder = new PublisherRecorder();
  const session = await createKafkaPublisher(options(more)).open(recorder, AbortSignal.timeout(20_000));
  try {
    await body(session, recorder);
  } finally {
    await session.close(1_000);
  }
}

describe.skipIf(missing).each(['direct', 'platformatic', 'kafkajs'] as const)('Kafka by %s', (driver) => {
  afterEach(() => proxy.heal());

  publisherSuite({
    publisher: () => createKafkaPublisher(options({ driver })),
    newTarget: newTopic,
    kill: () => broker().kill(),
    restart: () => broker().restart(),
    pause: () => broker().pause(),
    resume: () => broker().resume(),
  });

  test('many topics and partitions in one stream', () =>
    withSession({ driver }, async (session, recorder) => {
      const topics = await Promise.all([1, 3, 12, 50].map((partitions) => newTopic({ partitions })));
      const messages = Array.from({ length: 1_200 }, (_, n) =>
        outgoing(topics[n % topics.length]!, { key: n % 10 === 0 ? null : `key-${n % 101}` }),
      );
      session.enqueue(messages);
      await recorder.ackedCount(messages.length);
      for (const target of topics) {
        const expected = expectedOrder(
          messages.filter(({ address }) => address.kind === 'topic' && address.topic === target.topic),
        );
        const found = firstOccurrences(await target.readBack());
        // messages without a key have no order
        for (const order of [expected, found]) order.get(null)?.sort();
        expect(found).toEqual(expected);
      }
    }));

  test('a header name that stands twice', () =>
    withSession({ driver }, async (session, recorder) => {
      const target = await newTopic();
      session.enqueue([outgoing(target, { headers: [['via', 'a'], ['via', 'b']] })]); // prettier-ignore
      await recorder.ackedCount(1);
      const [stored] = await target.readBack();
      expect(stored?.headers).toEqual([['via', 'a'], ['via', 'b']]); // prettier-ignore
    }));

  test.each(driver === 'kafkajs' ? (['gzip'] as const) : (['gzip', 'snappy', 'lz4'] as const))(
    'compression %s',
    (compression) =>
      withSession({ driver, compression }, async (session, recorder) => {
        const target = await newTopic();
        const messages = Array.from({ length: 100 }, () =>
          outgoing(target, { body: Buffer.alloc(500, 'squeeze me ') }),
        );
        session.enqueue(messages);
        await recorder.ackedCount(messages.length);
        const stored = await target.readBack();
        expect(firstOccurrences(stored)).toEqual(expectedOrder(messages));
        expect(stored.every(({ body }) => body?.equals(messages[0]!.body!))).toBe(true);
      }),
  );

  test('a topic with a small limit takes everything that fits by itself', () =>
    withSession({ driver }, async (session, recorder) => {
      const target = await newTopic({ partitions: 2, config: { 'max.message.bytes': '5000' } });
      const small = Array.from({ length: 40 }, (_, n) =>
        outgoing(target, { key: `key-${n % 7}`, body: Buffer.alloc(700, 'x') }),
      );
      const large = outgoing(target, { key: 'large', body: Buffer.alloc(6_000, 'x') });
      session.enqueue([...small.slice(0, 20), large, ...small.slice(20)]);
      await recorder.ackedCount(small.length);
      await recorder.heard(() => recorder.refusals.length > 0, 'the refusal');
      expect(recorder.refusals.map(({ message, fault }) => [message.key, fault.code])).toEqual([
        ['large', 'message_too_large'],
      ]);
      expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder(small));
    }));

  test('a message larger than a request may be', () =>
    withSession({ driver, requestBytes: 10_000 }, async (session, recorder) => {
      const target = await newTopic();
      session.enqueue([outgoing(target, { key: 'a', body: Buffer.alloc(10_000) }), outgoing(target, { key: 'b' })]);
      await recorder.ackedCount(1);
      expect(recorder.refusals.map(({ message, fault }) => [message.key, fault.code])).toEqual([
        ['a', 'message_too_large'],
      ]);
    }));

  test('records that the broker finds invalid, one by one', () =>
    withSession({ driver }, async (session, recorder) => {
      const compacted = await newTopic({ partitions: 1, config: { 'cleanup.policy': 'compact' } });
      const keyed = Array.from({ length: 12 }, (_, n) => outgoing(compacted, { key: `key-${n % 3}` }));
      const keyless = [outgoing(compacted, { key: null }), outgoing(compacted, { key: null })];
      session.enqueue([...keyed.slice(0, 6), keyless[0]!, ...keyed.slice(6, 9), keyless[1]!, ...keyed.slice(9)]);
      await recorder.ackedCount(keyed.length);
      await recorder.heard(() => recorder.refusals.length === 2, 'two refusals');
      expect(recorder.refusals.map(({ message }) => message)).toEqual(keyless);
      expect(recorder.refusals.every(({ fault }) => fault.code === 'message_invalid')).toBe(true);
      expect(firstOccurrences(await compacted.readBack())).toEqual(expectedOrder(keyed));
    }));

  test('an unknown topic and an illegal one are the message alone', () =>
    withSession({ driver }, async (session, recorder) => {
      const target = await newTopic();
      const to = (topic: string, key: string) => outgoing({ address: { kind: 'topic', topic } }, { key });
      session.enqueue([
        outgoing(target, { key: 'a' }),
        to(`missing-${randomUUID()}`, 'b'),
        to('not a topic!', 'c'),
        outgoing(target, { key: 'd' }),
      ]);
      await recorder.ackedCount(2);
      await recorder.heard(() => recorder.refusals.length === 2, 'two refusals');
      expect(recorder.refusals.map(({ message, fault }) => [message.key, fault.code])).toEqual([
        ['b', 'message_unroutable'],
        ['c', 'message_invalid'],
      ]);
    }));

  test('partitions that are added under way', () =>
    withSession({ driver }, async (session, recorder) => {
      const target = await newTopic({ partitions: 1 });
      const messages = Array.from({ length: 60 }, (_, n) => outgoing(target, { key: `key-${n % 9}` }));
      session.enqueue(messages.slice(0, 30));
      await recorder.ackedCount(30);
      await addPartitions(target.topic, 5);
      session.enqueue(messages.slice(30));
      await recorder.ackedCount(60);
      expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder(messages));
    }));

  describe('answers that never come', () => {
    test.each(['reset', 'time-out'] as const)('by %s', (fault) =>
      withSession({ driver, requestTimeoutMs: 1_500, retryForMs: 20_000 }, async (session, recorder) => {
        const target = await newTopic({ partitions: 3 });
        const messages = Array.from({ length: 900 }, (_, n) => outgoing(target, { key: `key-${n % 20}` }));
        session.enqueue(messages.slice(0, 300));
        await recorder.ackedCount(300);
        proxy.blackhole(['responses']);
        session.enqueue(messages.slice(300, 600));
        // stored, though nobody says so
        await storedAtLeast(target.topic, 600);
        if (fault === 'reset') proxy.reset();
        else await recorder.heard(() => recorder.retries.length > 0, 'a repetition');
        await proxy.heal();
        session.enqueue(messages.slice(600));
        await recorder.ackedCount(900);
        const stored = await target.readBack();
        expect(firstOccurrences(stored)).toEqual(expectedOrder(messages));
        if (driver !== 'kafkajs') expect(stored).toHaveLength(900);
      }),
    );
  });

  test('check tells what is there and what is not', async () => {
    const { topic, address } = await newTopic();
    const publisher = createKafkaPublisher(options({ driver }));
    const findings = await publisher.check([address, { kind: 'topic', topic: 'absent' }], AbortSignal.timeout(20_000));
    expect(findings.map(({ status, subject }) => [status, subject])).toEqual([
      ['ok', 'kafka.brokers'],
      ['ok', `kafka.topic.${topic}`],
      ['error', 'kafka.topic.absent'],
    ]);
    const nowhere = createKafkaPublisher(options({ driver, brokers: ['127.0.0.1:1'] }));
    const [finding] = await nowhere.check([address], AbortSignal.timeout(20_000));
    expect(finding).toMatchObject({ status: 'error', subject: 'kafka.brokers' });
  });
});

/** Another way to the broker than the proxy. */
async function withAdmin<T>(use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const client = new kafkajs.Kafka({
    brokers: [...broker().addresses.sasl],
    sasl: { mechanism: 'plain', ...broker().credentials },
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = client.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

function addPartitions(topic: string, count: number): Promise<unknown> {
  return withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
}

async function storedAtLeast(topic: string, count: number): Promise<void> {
  await withAdmin((admin) =>
    until(
      async () => {
        const offsets = await admin.fetchTopicOffsets(topic);
        return offsets.reduce((sum, { high }) => sum + Number(high), 0) >= count;
      },
      { what: `${count} records in ${topic}` },
    ),
  );
}
