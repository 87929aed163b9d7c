import { EventEmitter } from 'node:events';
import type { ConfirmChannel } from 'amqplib';
import { describe, expect, test, vi } from 'vitest';
import type { RelayError } from '../../src/core/errors.ts';
import type { Address, OutgoingMessage } from '../../src/core/message.ts';
import type { PublisherListener, PublisherSession } from '../../src/core/publisher.ts';
import type { Connection } from '../../src/publish/rabbitmq/connection.ts';
import type { RabbitmqOptions } from '../../src/publish/rabbitmq/options.ts';
import { RabbitmqSession } from '../../src/publish/rabbitmq/session.ts';
import { testMessage } from './rabbitmq-messages.ts';

/** A channel that keeps what is published on it; the test answers for the broker. */
class FakeChannel extends EventEmitter {
  readonly ch: number;
  /** Ids of what was given to the connection, and of what was written. */
  readonly given: string[] = [];
  readonly published: string[] = [];

  constructor(ch: number) {
    super();
    this.ch = ch;
  }

  confirmAll(): void {
    this.emit('ack', { deliveryTag: this.published.length, multiple: true });
  }

  /** As the broker does for a message that it finds wrong, without saying which. */
  closeForARow(code = 406): void {
    this.emit('error', Object.assign(new Error('the broker says why'), { code }));
    this.emit('close');
  }
}

/** One connection whose channels are given out one after the other. */
function fakeConnection(channels: FakeChannel[]): Connection {
  const parts: Partial<Connection> = {
    frameMax: 131_072,
    listen: () => undefined,
    openConfirmChannel: () => {
      const channel = new FakeChannel(channels.length);
      channels.push(channel);
      return Promise.resolve(channel as unknown as ConfirmChannel);
    },
    publish: (ch, { messageId }) => channels[ch]?.given.push(messageId),
    flush: () => {
      for (const { given, published } of channels) published.push(...given.slice(published.length));
    },
    close: () => Promise.resolve(),
    destroy: () => undefined,
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
    maySend: () => true,
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

test('nothing more is written once the relay, told of a refusal, has closed the session', async () => {
  const channels: FakeChannel[] = [];
  const holder: { session?: PublisherSession } = {};
  const listener: PublisherListener = {
    maySend: () => true,
    acknowledged: () => undefined,
    refused: () => void holder.session?.close(0),
    retrying: () => undefined,
    failed: (error) => expect.unreachable(error.message),
  };
  const session = await RabbitmqSession.open(RELAXED as RabbitmqOptions, fakeConnection(channels), listener);
  holder.session = session;
  session.enqueue([testMessage(1), testMessage(2, { type: 't'.repeat(256) }), testMessage(3)]);
  await settled();
  expect(channels).toMatchObject([{ given: ['id-1'], published: [] }]);
});

test('what an answer makes room for is written before the relay is told of it, and both before a refusal', async () => {
  const channels: FakeChannel[] = [];
  const told: string[] = [];
  const listener: PublisherListener = {
    maySend: () => true,
    acknowledged: (messages) => {
      for (const { row } of messages) told.push(`${row.id} stored, written: ${channels[0]?.published.join()}`);
    },
    refused: ({ row }) => told.push(`${row.id} refused`),
    retrying: () => undefined,
    failed: (error) => expect.unreachable(error.message),
  };
  const options = { ...RELAXED, ordering: 'strict' } as RabbitmqOptions;
  const session = await RabbitmqSession.open(options, fakeConnection(channels), listener);
  session.enqueue([1, 2].map((n) => testMessage(n, { key: 'a' })));
  session.enqueue([testMessage(3, { key: 'a', type: 't'.repeat(256) })]);
  await settled();
  channels[0]?.confirmAll();
  await settled();
  expect(told).toEqual(['id-1 stored, written: id-1,id-2']);
  channels[0]?.confirmAll();
  await settled();
  expect(told.slice(1)).toEqual(['id-2 stored, written: id-1,id-2', 'id-3 refused']);
  await session.close(0);
});

describe('a missing exchange', () => {
  const to = (exchange: string): Address => ({ kind: 'exchange', exchange, routingKey: 'r' });

  /** A session with an exchange `fixed` that the configuration names, and what it tells. */
  async function opened() {
    const channels: FakeChannel[] = [];
    const refused: [id: string, code: string][] = [];
    const failures: RelayError[] = [];
    const listener: PublisherListener = {
      maySend: () => true,
      acknowledged: () => undefined,
      refused: ({ row }, fault) => refused.push([row.id, fault.code]),
      retrying: () => undefined,
      failed: (error) => failures.push(error),
    };
    const options = RELAXED as RabbitmqOptions;
    const session = await RabbitmqSession.open(options, fakeConnection(channels), listener, [to('fixed')]);
    const send = async (...messages: readonly [n: number, exchange: string][]) => {
      session.enqueue(messages.map(([n, exchange]) => testMessage(n, { key: `key-${n}`, address: to(exchange) })));
      await settled();
    };
    /** The broker takes what is on the latest channel. */
    const confirm = async () => {
      channels.at(-1)?.confirmAll();
      await settled();
    };
    const close = async () => {
      channels.at(-1)?.closeForARow(404);
      await settled();
    };
    return { channels, refused, failures, send, confirm, close };
  }

  test('whose name a row gave is the fault of that row, which is found among those in flight', async () => {
    const { channels, refused, failures, send, confirm, close } = await opened();
    await send([1, 'fixed'], [2, 'of a row'], [3, 'fixed']);
    await close();
    await confirm();
    expect(channels[1]?.published).toEqual(['id-1', 'id-2']);
    await close();
    expect(refused).toEqual([['id-2', 'message_unroutable']]);
    await confirm();
    expect(channels[2]?.published).toEqual(['id-3']);
    expect(failures).toEqual([]);
  });

  test('that the configuration names ends the session, and refuses nothing', async () => {
    const { refused, failures, send, close } = await opened();
    await send([1, 'fixed'], [2, 'fixed']);
    await close();
    expect(failures).toMatchObject([{ code: 'broker_setup' }]);
    expect(refused).toEqual([]);
  });

  test('that the configuration names ends the session, though rows that name others are in flight', async () => {
    const { refused, failures, send, close } = await opened();
    await send([1, 'fixed'], [2, 'of a row']);
    await close();
    expect(failures).toEqual([]);
    await close();
    expect(failures).toMatchObject([{ code: 'broker_setup' }]);
    expect(refused).toEqual([]);
  });

  test('is not tried again with every row that names it, but after a while', async () => {
    const clock = vi.spyOn(performance, 'now');
    const { channels, refused, send, confirm, close } = await opened();
    await send([1, 'of a row']);
    await close();
    const opens = channels.length;
    await send([2, 'of a row'], [3, 'fixed']);
    expect(refused.map(([id]) => id)).toEqual(['id-1', 'id-2']);
    expect(channels.at(-1)?.published).toEqual(['id-3']);
    await confirm();
    const { now } = Date;
    clock.mockImplementation(() => now() + 11_000_000);
    await send([4, 'of a row']);
    expect(channels).toHaveLength(opens);
    expect(channels.at(-1)?.published).toEqual(['id-3', 'id-4']);
    clock.mockRestore();
  });
});
