/** Writes events into the outbox table, in the transaction that makes the change they tell of: the entry point for Drizzle. */
import { type SQL, sql } from 'drizzle-orm';
import { OutboxError } from './errors.ts';
import type { UntypedEvents } from './message.ts';
import type { OutboxOptions } from './options.ts';
import { type Outbox, type OutboxAdapter, outboxOver, type ResultRow } from './outbox.ts';

/** The `tx` of `db.transaction(async (tx) => …)`, over any of Drizzle's drivers for Postgres. */
export interface DrizzleTransaction {
  execute(query: SQL): PromiseLike<unknown>;
  /** Which only transactions have. */
  rollback(): never;
}

const DRIZZLE_ADAPTER: OutboxAdapter<DrizzleTransaction> = {
  requireTransaction(tx: Partial<DrizzleTransaction>) {
    if (typeof tx.rollback !== 'function')
      throw new OutboxError('no_transaction', 'expected the tx of db.transaction(), not the database itself');
  },
  async insert(tx, { around: [before, after] }, parameter) {
    const result = await tx.execute(sql`${sql.raw(before)}${parameter}${sql.raw(after)}`);
    // As the driver below has it: postgres.js gives the rows, pg a result that has them.
    return Array.isArray(result) ? (result as ResultRow[]) : (result as { readonly rows: readonly ResultRow[] }).rows;
  },
};

/**
 * An outbox that is written through Drizzle.
 *
 * @throws OutboxError `invalid_options`
 */
export function createOutbox<Events extends object = UntypedEvents>(
  options: OutboxOptions<Events> = {},
): Outbox<DrizzleTransaction, Events> {
  return outboxOver(DRIZZLE_ADAPTER, options);
}

/** Those of the default table, `public.outbox`: see {@link Outbox}. */
export const { publish, publishAll } = createOutbox();
