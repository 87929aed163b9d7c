import type { BenchCase } from './case.ts';
import { flood } from './works.ts';

const ROWS = 100;

/** What it costs to wait. */
export const IDLE: BenchCase = {
  name: 'idle',
  title: 'nothing happens: share of a core, its own and that of Postgres',
  against: 'others',
  ratio: 'idleCpuPercent',
  shows: ['idleCpuPercent', 'idlePostgresCpuPercent', 'peakRssMb'],
  works: ({ rows = ROWS, seconds, ...options }) => [
    flood({ label: `${seconds} s without work`, rows, idleMs: seconds * 1000 }, { ...options, held: false }),
  ],
};
