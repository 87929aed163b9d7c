import type { BenchCase } from './case.ts';
import { backlog } from './works.ts';

const ROWS = 500_000;

/** A backlog: what was written while no relay ran. */
export const DRAIN: BenchCase = {
  name: 'drain',
  title: 'rows of one-row transactions wait in the table; publish and delete them all',
  against: 'others',
  limit: 'sends',
  ratio: 'messagesPerSecond',
  shows: ['messagesPerSecond', 'seconds', 'cpuMicrosPerMessage', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows = ROWS }) => [backlog({ rows, server: true })],
};
