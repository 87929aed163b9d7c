import type { BenchCase } from './case.ts';
import { LATENCY } from './latency.ts';
import { STREAM } from './stream.ts';

/** What a broker that is gone costs the destinations beside it: the same work, beside an idle one and beside a dead one. */
export const BULKHEAD: BenchCase = {
  name: 'bulkhead',
  title: 'beside a second destination that is dead, with rows that wait for it, and beside one that is idle',
  against: 'itself',
  ratio: 'p99Ms',
  shows: ['messagesPerSecond', 'p50Ms', 'p99Ms', 'maxMs', 'cpuMicrosPerMessageSteady', 'peakRssMb'],
  works: (options) => [
    ...LATENCY.works(options),
    ...STREAM.works(options).map((work) => ({ ...work, server: false, ratio: 'messagesPerSecond' as const })),
  ],
};
