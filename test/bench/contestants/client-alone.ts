import { fileURLToPath } from 'node:url';
import type { BrokerName } from '../brokers/broker.ts';
import { KILLED, startChild } from './child.ts';
import type { Contestant } from './contestant.ts';

const CLIENTS: Readonly<Record<BrokerName, string>> = {
  kafka: fileURLToPath(new URL('../clients/kafka.ts', import.meta.url)),
  rabbitmq: fileURLToPath(new URL('../clients/rabbitmq.ts', import.meta.url)),
};

/** @platformatic/kafka or amqplib, alone in a process, sending the same messages out of memory. */
export const CLIENT_ALONE: Contestant = {
  name: 'client-alone',
  role: 'limit',
  does: 'sends',
  check: 'ids',
  brokers: ['kafka', 'rabbitmq'],
  deletes: false,
  otherRows: 0,
  fetch: () => Promise.resolve(),
  start: ({ target, rows, shape, folder }) =>
    startChild({
      command: process.execPath,
      args: ['--import', import.meta.resolve('tsx'), CLIENTS[target.broker], JSON.stringify({ target, rows, shape })],
      folder,
      ends: KILLED,
    }),
};
