import { EventEmitter } from 'node:events';
import type { ConfirmChannel } from 'amqplib';
import { expect, test } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { PublisherListener, PublisherSession } from '../../src/core/publisher.ts';
import type { Connection } from '../../src/publish/rabbitmq/connection.ts';
import type { RabbitmqOptions } from '../../src/publish/rabbitmq/options.ts';
import { RabbitmqSession } from '../../src/publish/rabbitmq/session.ts';
import { testMessage } from './rabbitmq-messages.ts';

/** A channel that keeps what is published on it; the test answers for the broker. */
class FakeChannel extends EventEmitter {
  readonly published: string[] = [];

  publish(_exchange: string, _key: string, _body: Buffer, { messageId }: { messageId: string }): void {
    this.published.push(messageId);
  }

  confirmAll(): void {
    this.emit('ack', { deliveryTag: this.published.length, multiple: true });
  }

  /** As the broker does for a message that it finds wrong, without saying which. */
  closeForARow(): void {
    this.emit('error', Object.assign(new Error('PRECONDITION_FAILED'), { code: 406 }));
    this.emit('close');
  }
}

/** One connection whose channels are given out one after the other. */
function fakeConnection(channels: FakeChannel[]): Connection {
  const parts: Partial<Connection> = {
    frameMax: 131_072,
    listen: () => undefined,
    openConfirmChannel: () => {
      const channel = new FakeChannel();
      channels.push(channel);
      return Promise.resolve(channel as unknown as ConfirmChannel);
    },
    gatherWrites: (publish) => publish(),
    close: () => Promise.resolve(),
  };
  return parts as Connection;
}

const RELAXED: Partial<RabbitmqOptions> = {
  ordering: 'relaxed',
  window: { messages: 100, bytes: 1_000_000 },
  confirmTimeout: 60_000,
  appId: 'test',
};

/** Lets promises and the session's microtasks run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('suspects that are discarded with their key do not keep all others to one message at a time', async () => {
  const channels: FakeChannel[] = [];
  const refused: OutgoingMessage[] = [];
  const holder: { session?: PublisherSession } = {};
  const listener: PublisherListener = {
    acknowledged: () => undefined,
    refused: (message) => {
      refused.push(message);
      holder.session?.discard(message.key);
    },
    retrying: () => undefined,
    failed: (error) => expect.unreachable(error.message),
  };
  const session = await RabbitmqSession.open(RELAXED as RabbitmqOptions, fakeConnection(channels), listener);
  holder.session = session;
  session.enqueue([1, 2, 3].map((n) => testMessage(n, { key: 'a' })));
  await settled();
  expect(channels[0]?.published).toEqual(['id-1', 'id-2', 'id-3']);
  channels[0]?.closeForARow();
  await settled();
  expect(channels[1]?.published).toEqual(['id-1']);
  channels[1]?.closeForARow();
  await settled();
  expect(refused.map(({ row }) => row.id)).toEqual(['id-1']);
  session.enqueue([4, 5, 6].map((n) => testMessage(n)));
  await settled();
  expect(channels[2]?.published).toEqual(['id-4', 'id-5', 'id-6']);
  channels[2]?.confirmAll();
  await session.close(0);
});
