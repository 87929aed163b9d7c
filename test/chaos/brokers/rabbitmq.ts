import { rabbitmqSink } from '../../support/debezium-server.ts';
import {
  countMessages,
  declareQueue,
  deleteExchange,
  type QueueMessage,
  takeMessages,
} from '../../support/rabbit-reader.ts';
import { startRabbitmq, type StartedRabbitmq } from '../../support/services/rabbitmq.ts';
import { TcpProxy } from '../../support/services/tcp-proxy.ts';
import { until } from '../../support/services/until.ts';
import { eventsInQueue } from '../../support/workload/arrivals.ts';
import type { Broker, Sink, Trouble } from './broker.ts';

const POLICY = 'full';

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
      await declare(rabbitmq, name);
      const url = `amqp://guest:guest@${proxy.address}/%2F`;
      const destination = { type: 'rabbitmq', url, heartbeat: '2s', connectTimeout: '5s', confirmTimeout: '4s' };
      const taken: QueueMessage[] = [];
      return {
        config: {
          destinations: { rabbitmq: destination },
          routes: [{ destination: 'rabbitmq', exchange: name, routingKey: '${aggregatetype}' }],
        },
        debezium: rabbitmqSink('127.0.0.1', proxy.port, name, 'order'),
        arrived: async () => {
          taken.push(...(await takeMessages(rabbitmq.url, name, await countMessages(rabbitmq.url, name))));
          return eventsInQueue(taken);
        },
        trouble: (what, on) => TROUBLES[what](rabbitmq, name, on),
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

/** The overflow as an argument: a policy that brings it with a limit would drop what is in the queue. */
function declare({ url }: StartedRabbitmq, name: string): Promise<void> {
  const binding = { exchange: name, routingKey: '#', exchangeType: 'topic' } as const;
  return declareQueue(url, { queue: name, binding, arguments: { 'x-overflow': 'reject-publish' } });
}

const TROUBLES: Readonly<Record<Trouble, (rabbitmq: StartedRabbitmq, name: string, on: boolean) => Promise<void>>> = {
  'exchange-gone': (rabbitmq, name, on) => (on ? deleteExchange(rabbitmq.url, name) : declare(rabbitmq, name)),
  'memory-alarm': (rabbitmq, _name, on) => rabbitmq.setMemoryAlarm(on),
  'queue-full': async (rabbitmq, name, on) => {
    const full = { pattern: `^${name}$`, definition: { 'max-length': 0 } };
    await managed(() => (on ? rabbitmq.setPolicy(POLICY, full) : rabbitmq.removePolicy(POLICY)));
  },
};

/** After a restart the management plugin comes up later than the broker. */
async function managed(act: () => Promise<void>): Promise<void> {
  await until(() => act().then(() => true), { what: 'the management plugin' });
}
