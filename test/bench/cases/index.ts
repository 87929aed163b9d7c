import { BULKHEAD } from './bulkhead.ts';
import type { BenchCase } from './case.ts';
import { DRAIN } from './drain.ts';
import { GROWTH } from './growth.ts';
import { IDLE } from './idle.ts';
import { LATENCY } from './latency.ts';
import { MEMORY } from './memory.ts';
import type { CaseName } from './names.ts';
import { RABBITMQ } from './rabbitmq.ts';
import { SHARDS } from './shards.ts';
import { START } from './start.ts';
import { STREAM } from './stream.ts';
import { KEYS_CASE, PAYLOADS_CASE, TOPICS_CASE, TRANSACTIONS_CASE } from './variations.ts';

/** Each case by its name. */
export const CASES: Readonly<Record<CaseName, BenchCase>> = {
  drain: DRAIN,
  stream: STREAM,
  latency: LATENCY,
  rabbitmq: RABBITMQ,
  memory: MEMORY,
  growth: GROWTH,
  start: START,
  idle: IDLE,
  payloads: PAYLOADS_CASE,
  keys: KEYS_CASE,
  transactions: TRANSACTIONS_CASE,
  topics: TOPICS_CASE,
  bulkhead: BULKHEAD,
  shards: SHARDS,
};
