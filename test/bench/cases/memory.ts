import type { BenchCase } from './case.ts';
import { backlog, flood } from './works.ts';

const ROWS = 1_000_000;
const LARGE_BYTES = 10_240;

/** What could make a relay hold more and more: its peak memory in each case. */
export const MEMORY: BenchCase = {
  name: 'memory',
  title: 'peak memory with a big backlog, a giant transaction, large rows, and brokers that take nothing or little',
  against: 'others',
  ratio: 'peakRssMb',
  shows: ['peakRssMb', 'messagesPerSecond', 'seconds', 'cpuMicrosPerMessage', 'duplicates'],
  works: ({ rows = ROWS, ...options }) => [
    backlog({ label: 'backlog', rows, perTransaction: 100 }),
    flood({ label: 'one transaction', rows, perTransaction: rows }, { ...options, writers: 1 }),
    backlog({ label: '10 KB rows', rows: Math.ceil(rows / 20), shape: { payloadBytes: LARGE_BYTES } }),
    backlog({ label: 'dead broker', rows: Math.ceil(rows / 5), perTransaction: 100, trouble: 'dead' }),
    backlog({ label: 'slow broker', rows: Math.ceil(rows / 5), perTransaction: 100, trouble: 'slow' }),
  ],
};
