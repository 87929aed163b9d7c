import type { BenchCase } from './case.ts';

const SECONDS = 10;
const WRITERS = 2;
const WARM_UP_MS = 1000;

/** From the row's own clock, read as it is inserted, to the broker's when it appends the message. */
export const LATENCY: BenchCase = {
  name: 'latency',
  title: 'one-row transactions at a fixed rate: from insert to broker',
  against: 'others',
  hasLimit: false,
  ratio: 'p99Ms',
  shows: ['p50Ms', 'p99Ms', 'maxMs', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows, rate, synchronousCommit }) =>
    rate.map((perSecond) => {
      const count = rows ?? perSecond * SECONDS;
      return {
        label: `${perSecond} rows/s`,
        rows: count,
        written: 'during',
        held: false,
        listen: true,
        warmUpMs: Math.min(WARM_UP_MS, (count / perSecond) * 100),
        write: (database) => database.pace(count, perSecond, WRITERS, { synchronousCommit }),
      };
    }),
};
