import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { expect, it } from 'vitest';
import { PublishingChannel } from '../../src/publish/rabbitmq/channel.ts';
import { channelNumber, Connection } from '../../src/publish/rabbitmq/connection.ts';
import { RelayError } from '../../src/core/errors.ts';
import { toPublication } from '../../src/publish/rabbitmq/properties.ts';
import { testMessage } from './rabbitmq-messages.ts';

/** amqplib's own channel, which it does not export; it keeps an account of confirms. */
const amqplib = (() => {
  const require = createRequire(import.meta.url);
  return require(join(dirname(require.resolve('amqplib')), 'lib', 'channel_model.js')) as {
    ConfirmChannel: new (
      connection: object,
    ) => ConfirmChannel & { ch: number; readonly unconfirmed: readonly unknown[] };
  };
})();

it('an amqplib with other insides is refused, and not published with', () => {
  const model = { connection: {} } as unknown as ChannelModel;
  expect(() => new Connection(model, new AbortController(), 'somewhere', 1000)).toThrow(RelayError);
  const other: unknown = {};
  expect(() => channelNumber(other as Channel)).toThrow(RelayError);
});

it('the account of confirms that amqplib keeps does not grow, in whatever order they come', async () => {
  const channel = new amqplib.ConfirmChannel({});
  channel.ch = 1;
  const connection: Partial<Connection> = {
    openConfirmChannel: () => Promise.resolve(channel),
    publish: () => undefined,
  };
  const confirmed: number[] = [];
  const publishing = await PublishingChannel.open<number>(connection as Connection, {
    confirmed: (settled) => confirmed.push(...settled.map(({ item }) => item)),
    nacked: () => expect.unreachable(),
    closed: () => expect.unreachable(),
  });
  const publication = toPublication(testMessage(1), 'app', { bodyBytes: null, headerBytes: 1000 });
  if (publication instanceof RelayError) throw publication;
  const count = 500;
  for (let n = 1; n <= count; n++) publishing.publish(n, publication, 0);
  channel.emit('ack', { deliveryTag: 6, multiple: false });
  channel.emit('ack', { deliveryTag: 5, multiple: true });
  for (let deliveryTag = 7; deliveryTag <= count; deliveryTag++) channel.emit('ack', { deliveryTag, multiple: false });
  expect(confirmed).toHaveLength(count);
  expect(channel.unconfirmed).toHaveLength(0);
});
