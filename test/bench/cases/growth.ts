import type { BenchCase } from './case.ts';
import { backlog } from './works.ts';

const ROWS = 10_000_000;
const SMALLER = 20;

/** Whether a big backlog goes as fast as a small one. */
export const GROWTH: BenchCase = {
  name: 'growth',
  title: 'drain a backlog, and one that is twenty times as big: ratio of the rates',
  against: 'first-work',
  ratio: 'messagesPerSecond',
  shows: ['messagesPerSecond', 'seconds', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: ({ rows = ROWS }) => [
    backlog({ label: 'small backlog', rows: Math.ceil(rows / SMALLER), perTransaction: 1000 }),
    backlog({ label: 'big backlog', rows, perTransaction: 1000 }),
  ],
};
