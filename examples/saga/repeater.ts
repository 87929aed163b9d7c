import amqp from 'amqplib';
import { retry } from 'outbox-relay/resilience';
import { Random } from '../../test/support/simulation/random.ts';

/** Marks what was sent again, which is not sent a third time. */
const AGAIN_HEADER = 'x-again';

/**
 * Sends every other message again, some time later: what a relay or a broker may do with any of them at any time, and rarely does.
 *
 * @param stopping aborted: what has not been sent again stays in its queue
 */
export async function repeatMessages(
  url: string,
  exchange: string,
  seed: number,
  stopping: AbortSignal,
): Promise<void> {
  const random = new Random(seed);
  const patience = retry({ name: 'rabbitmq', attempts: Number.MAX_SAFE_INTEGER, baseMs: 100, maxMs: 1000 });
  while (!stopping.aborted) {
    const connection = await patience.execute(() => amqp.connect(url, { timeout: 5000 }), stopping).catch(() => null);
    if (connection === null) return;
    const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()));
    connection.on('error', () => undefined); // 'close' follows
    const close = (): void => void connection.close().catch(() => undefined);
    stopping.addEventListener('abort', close, { once: true });
    await repeatFrom(connection, exchange, random).catch(close);
    await closed;
    stopping.removeEventListener('abort', close);
  }
}

async function repeatFrom(connection: amqp.ChannelModel, exchange: string, random: Random): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  const queue = `${exchange}.again`;
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(queue, exchange, '#');
  await channel.consume(queue, (message) => {
    if (message === null) return;
    const { headers = {}, ...properties } = message.properties;
    if (headers[AGAIN_HEADER] !== true && random.chance(0.5)) {
      const again = { ...properties, headers: { ...headers, [AGAIN_HEADER]: true } };
      channel.publish(exchange, message.fields.routingKey, message.content, again);
    }
    channel.ack(message);
  });
}
