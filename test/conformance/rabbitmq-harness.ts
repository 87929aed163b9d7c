import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { expect, inject } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { Publisher, PublisherSession } from '../../src/core/publisher.ts';
import { RABBITMQ_DEFAULTS, type RabbitmqOptions } from '../../src/publish/rabbitmq/options.ts';
import { createRabbitmqPublisher } from '../../src/publish/rabbitmq/publisher.ts';
import { countMessages, declareQueue, type QueueMessage, takeMessages } from '../support/rabbit-reader.ts';
import { startRabbitmq, type StartedRabbitmq } from '../support/services/rabbitmq.ts';
import { until } from '../support/services/until.ts';
import { PublisherRecorder } from './publisher-recorder.ts';
import { outgoing, type PublisherTarget, type StoredMessage } from './publisher-suite.ts';

/** Whether there is no RabbitMQ on this machine. */
export const missing = 'missing' in inject('services').rabbitmq;

export const MAX_MESSAGE_SIZE = 1_000_000;

// a broker of its own for each file, since these tests kill it and set alarms
const node: StartedRabbitmq | null = missing
  ? null
  : await startRabbitmq({ tls: true, config: [`max_message_size = ${MAX_MESSAGE_SIZE}`] });

/** Call it in the end. */
export async function disposeBroker(): Promise<void> {
  await node?.dispose();
}

/** @throws when RabbitMQ is missing */
export function broker(): StartedRabbitmq {
  if (node === null) throw new Error('RabbitMQ is missing');
  return node;
}

/** Of a session with the tests' broker. */
export const options = (more: Partial<RabbitmqOptions> = {}): RabbitmqOptions => ({
  ...RABBITMQ_DEFAULTS,
  hosts: [{ host: '127.0.0.1', port: broker().port }],
  connectTimeout: 5_000,
  ...more,
});

/** RabbitMQ does not store the key: what each message had is remembered when it is enqueued. */
const keys = new Map<string, string | null>();

/** A publisher that remembers keys for {@link QueueTarget.readBack}. */
export function rememberingKeys(publisher: Publisher): Publisher {
  return {
    check: (addresses, signal) => publisher.check(addresses, signal),
    async open(listener, signal) {
      const session = await publisher.open(listener, signal);
      const enqueue = session.enqueue.bind(session);
      session.enqueue = (messages) => {
        for (const { row, key } of messages) keys.set(row.id, key);
        enqueue(messages);
      };
      return session;
    },
  };
}

export interface QueueTarget extends PublisherTarget {
  readonly exchange: string;
  readonly queue: string;
}

/** An exchange and a queue that gets what is published with the routing key `known`. */
export async function newTarget(args: Readonly<Record<string, unknown>> = {}): Promise<QueueTarget> {
  const name = `test-${randomUUID()}`;
  await declareQueue(broker().url, {
    queue: name,
    type: 'quorum',
    arguments: args,
    binding: { exchange: name, exchangeType: 'topic', routingKey: 'known' },
  });
  const stored: StoredMessage[] = [];
  return {
    exchange: name,
    queue: name,
    address: { kind: 'exchange', exchange: name, routingKey: 'known' },
    poison: { body: Buffer.alloc(MAX_MESSAGE_SIZE + 1, 'x') },
    readBack: async () => {
      stored.push(...(await drain(name)).map(toStored));
      return stored;
    },
  };
}

/** In bulk: one by one, each message of a quorum queue would cost a write to the disk. */
async function drain(queue: string): Promise<QueueMessage[]> {
  const messages: QueueMessage[] = [];
  for (;;) {
    const count = await countMessages(broker().url, queue);
    if (count === 0) return messages;
    // A quorum queue has no more than 2000 messages unsettled with one consumer.
    messages.push(...(await takeMessages(broker().url, queue, Math.min(count, 1000))));
  }
}

function toStored({ content, properties }: QueueMessage): StoredMessage {
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const id = String(properties.messageId);
  expect(headers['x-deduplication-header']).toBe(id);
  expect(properties.deliveryMode).toBe(2);
  return {
    id,
    key: keys.get(id) ?? null,
    body: headers['x-outbox-tombstone'] === true ? null : content,
    type: (properties.type as string | undefined) ?? null,
    headers: Object.entries(headers)
      .filter(([name]) => !['x-deduplication-header', 'x-outbox-tombstone', 'x-delivery-count'].includes(name))
      .map(([name, value]) => [name, String(value)] as const),
  };
}

/** Opens a session, runs the test and closes the session. */
export async function withSession(
  given: RabbitmqOptions,
  body: (session: PublisherSession, recorder: PublisherRecorder) => Promise<void>,
  addresses: PublisherTarget['address'][] = [],
): Promise<void> {
  const recorder = new PublisherRecorder();
  const session = await rememberingKeys(createRabbitmqPublisher(given, addresses)).open(
    recorder,
    AbortSignal.timeout(20_000),
  );
  try {
    await body(session, recorder);
  } finally {
    await session.close(1_000);
  }
}

/** Opens a session whose listener nobody looks at. */
export const open = (given: RabbitmqOptions, addresses: PublisherTarget['address'][] = []) =>
  createRabbitmqPublisher(given, addresses).open(new PublisherRecorder(), AbortSignal.timeout(20_000));

/** Lets the target's queue take messages with this routing key too. */
export async function bind(target: QueueTarget, routingKey: string): Promise<void> {
  const connection = await amqp.connect(broker().url);
  const channel = await connection.createChannel();
  await channel.bindQueue(target.queue, target.exchange, routingKey);
  await connection.close();
}

/** Messages of keys in turn. */
export const spread = (target: QueueTarget, count: number, keyCount: number): OutgoingMessage[] =>
  Array.from({ length: count }, (_, n) => outgoing(target, { key: `key-${n % keyCount}` }));

/** For what must not happen meanwhile. */
export const elapsed = (since: number, ms: number) =>
  until(() => performance.now() - since > ms, { what: `${ms} ms to go by` });
