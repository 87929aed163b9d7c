import type { BenchCase } from './case.ts';

const ROWS = 300_000;
const FILLING_CONNECTIONS = 2;

/** A backlog: what was written while no relay ran. */
export const DRAIN: BenchCase = {
  name: 'drain',
  title: 'rows of one-row transactions wait in the table; publish and delete them all',
  against: 'others',
  hasLimit: true,
  ratio: 'messagesPerSecond',
  shows: ['messagesPerSecond', 'seconds', 'cpuMicrosPerMessage', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows = ROWS }) => [
    {
      label: '',
      rows,
      written: 'before',
      held: false,
      listen: false,
      warmUpMs: 0,
      write: (database) => database.write(rows, 1, FILLING_CONNECTIONS, { synchronousCommit: 'off' }),
    },
  ],
};
