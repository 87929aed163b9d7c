import type { BenchCase } from './case.ts';
import { paced } from './works.ts';

const SECONDS = 10;

/** From the row's own clock, read as it is inserted, to the broker's when it appends the message. */
export const LATENCY: BenchCase = {
  name: 'latency',
  title: 'one-row transactions at a fixed rate: from insert to broker',
  against: 'others',
  ratio: 'p99Ms',
  shows: ['p50Ms', 'p99Ms', 'maxMs', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows, rate, synchronousCommit }) =>
    rate.map((perSecond) =>
      paced({ label: `${perSecond} rows/s`, rows: rows ?? perSecond * SECONDS }, perSecond, { synchronousCommit }),
    ),
};
