import type { BenchCase } from './case.ts';
import { DRAIN } from './drain.ts';
import { backlog } from './works.ts';

const ROWS = 200_000;
/** One message of a key is under way at a time: that takes long. */
const OF_ONE_KEY = 0.1;

/** The same backlog into RabbitMQ: a quorum queue, strict order; a single key apart, whose order is the hardest to keep. */
export const RABBITMQ: BenchCase = {
  ...DRAIN,
  name: 'rabbitmq',
  title: 'rows wait in the table; publish them to a quorum queue in strict order, and delete them all',
  broker: 'rabbitmq',
  works: ({ rows = ROWS }) => [
    backlog({ label: '10,000 keys', rows, server: true }),
    backlog({ label: '1 key', rows: Math.ceil(rows * OF_ONE_KEY), shape: { keys: 1 }, server: true }),
  ],
};
