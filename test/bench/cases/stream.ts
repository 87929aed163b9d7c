import type { BenchCase } from './case.ts';
import { flood } from './works.ts';

const ROWS = 300_000;

/** A flood by the log: writers as fast as the machine allows while the relay streams. */
export const STREAM: BenchCase = {
  name: 'stream',
  title: 'while it streams, writers commit as fast as they can; publish and delete it all',
  against: 'others',
  limit: 'reads',
  ratio: 'messagesPerSecond',
  shows: ['messagesPerSecond', 'seconds', 'cpuMicrosPerMessage', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows = ROWS, transaction, ...options }) =>
    transaction.map((perTransaction) =>
      flood(
        { label: `${perTransaction} a transaction${options.held ? ', held' : ''}`, rows, perTransaction, server: true },
        options,
      ),
    ),
};
