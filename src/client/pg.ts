import { OutboxError } from './errors.ts';
import type { OutboxAdapter, ResultRow } from './outbox.ts';

/** A session of `pg` on which BEGIN has run: `pg.Client`, or `pg.PoolClient` as `pool.connect()` gives it. */
export interface PgTransaction {
  query(config: { text: string; values: unknown[] }): Promise<{ readonly rows: readonly unknown[] }>;
  /** Of a `pg.Pool`, which is no transaction. */
  readonly idleCount?: never;
}

/** Newer versions of `pg` know whether their session is within a transaction: `I` when it is not. */
interface KnowsTransactionStatus {
  getTransactionStatus?: unknown;
}

/** The adapter for `pg`. */
export const PG_ADAPTER: OutboxAdapter<PgTransaction> = {
  requireTransaction(tx) {
    if ('idleCount' in tx)
      throw new OutboxError(
        'no_transaction',
        'expected the client on which BEGIN has run, not a pg.Pool, which takes another connection for every query',
      );
    const { getTransactionStatus } = tx as KnowsTransactionStatus;
    if (typeof getTransactionStatus === 'function' && getTransactionStatus.call(tx) === 'I')
      throw new OutboxError(
        'no_transaction',
        'expected a client within a transaction, and BEGIN has not run on this one (or was not awaited)',
      );
  },
  async insert(tx, { text }, parameter) {
    const { rows } = await tx.query({ text, values: [parameter] });
    return rows as readonly ResultRow[];
  },
};
