import { CASES } from './cases/index.ts';
import type { BenchOptions } from './options.ts';

/** What shows within a minute that all parts work; not how fast they are. */
export const SMOKE_CASES = [CASES.drain, CASES.stream, CASES.latency, CASES.start, CASES.idle, CASES.rabbitmq];

/** Small, and only with peers that need no download of their own. */
export function smokeOptions(asked: BenchOptions): BenchOptions {
  return {
    ...asked,
    broker: 'kafka',
    peers: ['client-alone'],
    rows: 2_000,
    rounds: 1,
    rate: [1000],
    transaction: [10],
    writers: 2,
    seconds: 1,
  };
}
