/** Brings an inbox to a broker by each of the adapters, with the least that their clients need; for tests. */
import { Consumer } from '@platformatic/kafka';
import amqp from 'amqplib';
import kafkajs from 'kafkajs';
import type pg from 'pg';
import { consume as consumeQueue } from '../../src/inbox/amqplib.ts';
import type { ConsumeOptions, Consuming, Inbox } from '../../src/inbox/index.ts';
import { consume as consumeKafkajs } from '../../src/inbox/kafkajs.ts';
import { consume as consumePlatformatic } from '../../src/inbox/platformatic-kafka.ts';

/** Where messages come from. */
export type FeedOptions =
  | { readonly client: KafkaClientName; readonly brokers: string; readonly topic: string; readonly group: string }
  | { readonly client: 'amqplib'; readonly url: string; readonly queue: string };

export type KafkaClientName = 'kafkajs' | 'platformatic-kafka';

type Consume = ConsumeOptions<pg.PoolClient, unknown>;

/** The shortest that brokers allow as they come: a member that was killed keeps its partitions so long. */
const SESSION = { sessionTimeout: 6000, rebalanceTimeout: 6000, heartbeatInterval: 500 };

/** Consumes until it is stopped, with which the client is closed as well. */
export async function feed(inbox: Inbox<pg.PoolClient>, from: FeedOptions, options: Consume): Promise<Consuming> {
  switch (from.client) {
    case 'kafkajs':
      return feedKafkajs(inbox, from, options);
    case 'platformatic-kafka':
      return feedPlatformatic(inbox, from, options);
    case 'amqplib':
      return feedQueue(inbox, from, options);
  }
}

type KafkaFeed = Extract<FeedOptions, { group: string }>;

async function feedKafkajs(inbox: Inbox<pg.PoolClient>, from: KafkaFeed, options: Consume): Promise<Consuming> {
  const client = new kafkajs.Kafka({ brokers: from.brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const consumer = client.consumer({ groupId: from.group, maxWaitTimeInMs: 200, ...SESSION });
  await consumer.connect();
  await consumer.subscribe({ topic: from.topic, fromBeginning: true });
  const consuming = await consumeKafkajs(inbox, { consumer, ...options });
  return closing(consuming, () => consumer.disconnect());
}

async function feedPlatformatic(inbox: Inbox<pg.PoolClient>, from: KafkaFeed, options: Consume): Promise<Consuming> {
  const consumer = new Consumer({
    clientId: 'inbox',
    groupId: from.group,
    bootstrapBrokers: from.brokers.split(','),
    maxWaitTime: 200,
    ...SESSION,
  });
  const consuming = await consumePlatformatic(inbox, { consumer, topics: [from.topic], ...options });
  return closing(consuming, () => new Promise((resolve) => consumer.close(true, resolve)));
}

async function feedQueue(
  inbox: Inbox<pg.PoolClient>,
  { url, queue }: Extract<FeedOptions, { queue: string }>,
  options: Consume,
): Promise<Consuming> {
  const connection = await amqp.connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createChannel();
  const consuming = await consumeQueue(inbox, { channel, queue, ...options });
  return closing(consuming, async () => {
    await connection.close().catch(() => undefined);
  });
}

function closing(consuming: Consuming, close: () => Promise<unknown>): Consuming {
  return {
    ended: consuming.ended,
    stop: async (options) => {
      await consuming.stop(options);
      await close();
    },
  };
}
