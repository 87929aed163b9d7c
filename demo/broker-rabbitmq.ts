import amqp from 'amqplib';
import { startRabbitmq } from '../test/support/services/rabbitmq.ts';
import type { DemoBroker, OnArrival } from './broker.ts';

const PREFETCH = 1000;

/** The RabbitMQ of `$TEST_RABBITMQ_URL`, else one that is started; with an exchange and a queue of the demo's own. */
export async function rabbitmqBroker(onArrival: OnArrival): Promise<DemoBroker> {
  const given = process.env.TEST_RABBITMQ_URL;
  const own = given ? null : await startRabbitmq();
  const url = own?.url ?? given ?? '';
  const name = `outbox-demo-${Date.now()}`;
  const connection = await amqp.connect(url);
  // What the consumer misses is missing in the accounting, which then fails: the error itself must not end the demo.
  connection.on('error', () => undefined);
  const channel = await connection.createChannel();
  await channel.assertExchange(name, 'topic', { durable: true });
  await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(name, name, '#');
  await channel.prefetch(PREFETCH);
  await channel.consume(name, (message) => {
    if (message === null) return;
    channel.ack(message);
    const { routingKey } = message.fields;
    onArrival(String(message.properties.messageId), `${routingKey} ${message.content.toString()}`);
  });
  const { host } = new URL(url);
  return {
    title: `RabbitMQ at ${host}`,
    config: {
      destinations: { rabbitmq: { type: 'rabbitmq', url } },
      routes: [{ destination: 'rabbitmq', exchange: name, routingKey: '${aggregatetype}.${type}' }],
    },
    onLine: () => undefined,
    [Symbol.asyncDispose]: async () => {
      await channel.deleteQueue(name);
      await channel.deleteExchange(name);
      await connection.close();
      await own?.dispose();
    },
  };
}
