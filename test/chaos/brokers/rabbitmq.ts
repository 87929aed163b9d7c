import { countMessages, declareQueue, type QueueMessage, takeMessages } from '../../support/rabbit-reader.ts';
import { startRabbitmq } from '../../support/services/rabbitmq.ts';
import { TcpProxy } from '../../support/services/tcp-proxy.ts';
import { eventsInQueue } from '../../support/workload/arrivals.ts';
import type { Broker, Sink } from './broker.ts';

/**
 * A RabbitMQ of one node. Queues are classic: a quorum queue of RabbitMQ 3.10 that is killed within some seconds of its
 * creation never elects a leader again.
 */
export async function startRabbitmqBroker(): Promise<Broker> {
  const rabbitmq = await startRabbitmq();
  const proxy = await TcpProxy.start({ host: '127.0.0.1', port: rabbitmq.port });
  return {
    title: `RabbitMQ ${await rabbitmq.ctl('version')}, one node, classic queue`,
    proxy,
    openSink: async (name): Promise<Sink> => {
      const binding = { exchange: name, routingKey: '#', exchangeType: 'topic' } as const;
      await declareQueue(rabbitmq.url, { queue: name, binding });
      const url = `amqp://guest:guest@${proxy.address}/%2F`;
      const destination = { type: 'rabbitmq', url, heartbeat: '2s', connectTimeout: '5s', confirmTimeout: '4s' };
      const taken: QueueMessage[] = [];
      return {
        config: {
          destinations: { rabbitmq: destination },
          routes: [{ destination: 'rabbitmq', exchange: name, routingKey: '${aggregatetype}' }],
        },
        arrived: async () => {
          taken.push(...(await takeMessages(rabbitmq.url, name, await countMessages(rabbitmq.url, name))));
          return eventsInQueue(taken);
        },
      };
    },
    kill: () => rabbitmq.kill(),
    restart: () => rabbitmq.restart(),
    pause: () => rabbitmq.pause(),
    resume: () => rabbitmq.resume(),
    dispose: async () => {
      await proxy.dispose();
      await rabbitmq.dispose();
    },
  };
}
