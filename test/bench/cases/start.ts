import type { BenchCase } from './case.ts';
import { backlog } from './works.ts';

const ROWS = 100;

/** How long after it is started a process publishes. */
export const START: BenchCase = {
  name: 'start',
  title: 'a few rows wait: from the start of the process to the first message at the broker',
  against: 'others',
  ratio: 'firstMs',
  shows: ['firstMs', 'seconds', 'peakRssMb'],
  works: ({ rows = ROWS }) => [backlog({ rows, listen: true })],
};
