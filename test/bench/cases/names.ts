/** The cases, by the names that the command line knows. */
export const CASE_NAMES = [
  'drain',
  'stream',
  'latency',
  'rabbitmq',
  'memory',
  'growth',
  'start',
  'idle',
  'payloads',
  'keys',
  'transactions',
  'topics',
  'bulkhead',
  'shards',
] as const;

export type CaseName = (typeof CASE_NAMES)[number];
