/** The drain and the flood with rows, or transactions, that are not the usual ones. */
import type { BenchCase } from './case.ts';
import { DRAIN } from './drain.ts';
import { STREAM } from './stream.ts';
import { backlog, flood } from './works.ts';

const ROWS = 300_000;
/** So many bytes of payloads at most, all together. */
const VOLUME = 300e6;
const PAYLOADS = [
  [100, '100 B'],
  [1024, '1 KB'],
  [10_240, '10 KB'],
  [102_400, '100 KB'],
] as const;
const TRANSACTIONS = [1, 10, 100, 10_000];
const TOPICS = [1, 50];
const MANY_KEYS = 1_000_000;

export const PAYLOADS_CASE: BenchCase = {
  ...DRAIN,
  name: 'payloads',
  title: 'drain rows of different sizes',
  works: ({ rows = ROWS }) =>
    PAYLOADS.map(([payloadBytes, label]) =>
      backlog({ label, rows: Math.min(rows, Math.floor(VOLUME / payloadBytes)), shape: { payloadBytes } }),
    ),
};

export const KEYS_CASE: BenchCase = {
  ...DRAIN,
  name: 'keys',
  title: 'drain rows that all have the same key, and rows of a million keys',
  works: ({ rows }) => [
    backlog({ label: '1 key', rows: rows ?? ROWS, shape: { keys: 1 } }),
    backlog({ label: '1,000,000 keys', rows: rows ?? MANY_KEYS, shape: { keys: MANY_KEYS } }),
  ],
};

export const TRANSACTIONS_CASE: BenchCase = {
  ...STREAM,
  name: 'transactions',
  title: 'while it streams, writers commit as fast as they can: small and large transactions',
  works: ({ rows = ROWS, ...options }) =>
    TRANSACTIONS.map((perTransaction) =>
      flood({ label: `${perTransaction} a transaction`, rows, perTransaction }, options),
    ),
};

export const TOPICS_CASE: BenchCase = {
  ...DRAIN,
  name: 'topics',
  title: 'drain rows to one topic, and to many in turn',
  works: ({ rows = ROWS }) =>
    TOPICS.map((topics) => backlog({ label: topics === 1 ? '1 topic' : `${topics} topics`, rows, shape: { topics } })),
};
