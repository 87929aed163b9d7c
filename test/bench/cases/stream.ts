import type { BenchCase } from './case.ts';

const ROWS = 300_000;

/** A flood by the log: writers as fast as the machine allows while the relay streams. */
export const STREAM: BenchCase = {
  name: 'stream',
  title: 'while it streams, writers commit as fast as they can; publish and delete it all',
  against: 'others',
  hasLimit: false,
  ratio: 'messagesPerSecond',
  shows: ['messagesPerSecond', 'seconds', 'cpuMicrosPerMessage', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows = ROWS, transaction, writers, synchronousCommit, held }) =>
    transaction.map((perTransaction) => ({
      label: `${perTransaction} a transaction${held ? ', held' : ''}`,
      rows,
      written: 'during',
      held,
      listen: false,
      warmUpMs: 0,
      write: (database) => database.write(rows, perTransaction, writers, { synchronousCommit }),
    })),
};
