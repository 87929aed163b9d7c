import { configureDebezium, debeziumCommand, kafkaSink, rabbitmqSink } from '../../support/debezium-server.ts';
import { debeziumDistribution } from '../../support/services/debezium-distribution.ts';
import { PUBLICATION } from '../database.ts';
import type { Target } from '../brokers/broker.ts';
import { KILLED, startChild } from './child.ts';
import type { Contestant } from './contestant.ts';
import { createSlot, untilSlotIsRead } from './slot.ts';

const JVM = ['-Xmx2g'];

/** What was found to make it fast. Its producer's defaults are acks=all and idempotent. */
const TUNING = { 'max.batch.size': '8192', 'max.queue.size': '32768' };

/** The server asks for none, but an empty one keeps Debezium from starting. */
const NO_PASSWORD = 'none';

/** Debezium Server in its usual set-up: outbox event router, a permanent slot, rows that stay in the table. */
export const DEBEZIUM: Contestant = {
  name: 'debezium',
  role: 'peer',
  does: 'all',
  check: 'ids',
  brokers: ['kafka', 'rabbitmq'],
  deletes: false,
  otherRows: 0,
  fetch: () => debeziumDistribution(),
  prepare: async ({ name, postgresUrl, target, folder }) => {
    const url = new URL(postgresUrl);
    const place = {
      host: url.hostname,
      port: Number(url.port),
      database: url.pathname.slice(1),
      user: url.username,
      password: NO_PASSWORD,
      table: 'public.outbox',
      publication: PUBLICATION,
      name,
      sink: sinkOf(target),
    };
    await configureDebezium(place, folder, TUNING);
    await createSlot(postgresUrl, name);
  },
  start: async ({ name, postgresUrl, folder }) =>
    startChild({
      ...(await debeziumCommand(JVM)),
      folder,
      cwd: folder,
      untilStreaming: () => untilSlotIsRead(postgresUrl, name),
      ends: KILLED,
    }),
};

function sinkOf(target: Target): Record<string, string> {
  switch (target.broker) {
    case 'kafka':
      return kafkaSink(target.brokers, `${target.topicPrefix}\${routedByValue}`);
    case 'rabbitmq': {
      const { hostname, port } = new URL(target.url);
      return rabbitmqSink(hostname, Number(port), target.exchange, 'bench');
    }
  }
}
