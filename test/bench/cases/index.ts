import { BULKHEAD } from './bulkhead.ts';
import type { BenchCase } from './case.ts';
import { DRAIN } from './drain.ts';
import { LATENCY } from './latency.ts';
import type { CaseName } from './names.ts';
import { STREAM } from './stream.ts';

/** Each case by its name. */
export const CASES: Readonly<Record<CaseName, BenchCase>> = {
  drain: DRAIN,
  stream: STREAM,
  latency: LATENCY,
  bulkhead: BULKHEAD,
};
