import type { BenchCase } from './case.ts';
import { backlog, flood } from './works.ts';

const ROWS = 200_000;
const PER_TRANSACTION = 100;

/** What a second process brings: two that share two shards, and one that does all, at the same work. */
export const SHARDS: BenchCase = {
  name: 'shards',
  title: 'two processes that share two shards, and one process: a backlog, and a flood through the log',
  against: 'one-process',
  ratio: 'messagesPerSecond',
  shows: ['messagesPerSecond', 'seconds', 'cpuMicrosPerMessage', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows = ROWS, ...options }) => [
    backlog({ label: 'backlog', rows, server: true }),
    flood({ label: 'flood', rows, perTransaction: PER_TRANSACTION, server: true }, options),
  ],
};
