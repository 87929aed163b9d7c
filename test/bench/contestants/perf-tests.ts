import { join } from 'node:path';
import { javaHome } from '../../support/services/java.ts';
import { kafkaTools } from '../../support/services/kafka-distribution.ts';
import { mavenJars } from '../../support/services/maven-jars.ts';
import type { Target } from '../brokers/broker.ts';
import { startChild } from './child.ts';
import type { Contestant } from './contestant.ts';

const PERF_TEST_VERSION = '2.22.1';
/** Open confirms, as the relay's window has by default. */
const CONFIRMS = 1000;

const LIMIT = { role: 'limit', does: 'sends', check: 'count', deletes: false, otherRows: 0 } as const;

/** `kafka-producer-perf-test`: the Java producer, idempotent, acks=all, tuned for throughput, without keys. */
export const KAFKA_PERF_TEST: Contestant = {
  ...LIMIT,
  name: 'kafka-producer-perf-test',
  brokers: ['kafka'],
  fetch: () => kafkaTools(),
  start: async ({ target, rows, shape, folder }) => {
    const { java, classPath } = await kafkaTools();
    const { brokers, topics } = kafkaTarget(target);
    const producer = [
      `bootstrap.servers=${brokers.join(',')}`,
      ...['acks=all', 'enable.idempotence=true', 'linger.ms=5', 'batch.size=65536'],
    ];
    const work = ['--topic', topics[0] ?? '', '--num-records', `${rows}`, '--record-size', `${shape.payloadBytes}`];
    return startChild({
      command: java,
      args: [
        ...['-Xmx512m', '-cp', classPath, 'org.apache.kafka.tools.ProducerPerformance'],
        ...work,
        ...['--throughput', '-1', '--producer-props', ...producer],
      ],
      folder,
      ends: 'finishes',
    });
  },
};

/** RabbitMQ's PerfTest: persistent and mandatory messages, confirms. */
export const RABBITMQ_PERF_TEST: Contestant = {
  ...LIMIT,
  name: 'rabbitmq-perf-test',
  brokers: ['rabbitmq'],
  fetch: () => perfTestClassPath(),
  start: async ({ target, rows, shape, folder }) => {
    const { url, exchange, queue } = rabbitmqTarget(target);
    return startChild({
      command: join(await javaHome(), 'bin/java'),
      args: [
        ...['-Xmx512m', '-cp', await perfTestClassPath(), 'com.rabbitmq.perf.PerfTest'],
        ...['--uri', url, '--predeclared', '--exchange', exchange, '--queue', queue, '--routing-key', 'bench-0'],
        ...['--producers', '1', '--consumers', '0', '--pmessages', `${rows}`, '--size', `${shape.payloadBytes}`],
        ...['--confirm', `${CONFIRMS}`, '--flag', 'persistent', '--flag', 'mandatory'],
      ],
      folder,
      ends: 'finishes',
    });
  },
};

function perfTestClassPath(): Promise<string> {
  return mavenJars(`rabbitmq-perf-test-${PERF_TEST_VERSION}`, [`com.rabbitmq:perf-test:${PERF_TEST_VERSION}`]);
}

function kafkaTarget(target: Target): Extract<Target, { broker: 'kafka' }> {
  if (target.broker !== 'kafka') throw new TypeError('sends to Kafka only');
  return target;
}

function rabbitmqTarget(target: Target): Extract<Target, { broker: 'rabbitmq' }> {
  if (target.broker !== 'rabbitmq') throw new TypeError('sends to RabbitMQ only');
  return target;
}
