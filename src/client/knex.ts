/** Writes events into the outbox table, in the transaction that makes the change they tell of: the entry point for Knex. */
import { OutboxError } from './errors.ts';
import type { UntypedEvents } from './message.ts';
import type { OutboxOptions } from './options.ts';
import { type Outbox, type OutboxAdapter, outboxOver, type ResultRow } from './outbox.ts';

/** The `trx` of `knex.transaction(async (trx) => …)`; with the dialect `pg`. */
export interface KnexTransaction {
  raw(sql: string, bindings: readonly string[]): PromiseLike<unknown>;
  /** Which only transactions have. */
  commit(): unknown;
  readonly isTransaction?: boolean;
}

const KNEX_ADAPTER: OutboxAdapter<KnexTransaction> = {
  requireTransaction(tx) {
    if (tx.isTransaction !== true)
      throw new OutboxError('no_transaction', 'expected the trx of knex.transaction(), not knex itself');
  },
  async insert(tx, { around }, parameter) {
    // Knex writes parameters as `?`, so that those which are none, in quoted names, are escaped.
    const [before, after] = around.map((part) => part.replaceAll('?', '\\?'));
    const { rows } = (await tx.raw(`${before}?${after}`, [parameter])) as { readonly rows: readonly ResultRow[] };
    return rows;
  },
};

/**
 * An outbox that is written through Knex.
 *
 * @throws OutboxError `invalid_options`
 */
export function createOutbox<Events extends object = UntypedEvents>(
  options: OutboxOptions<Events> = {},
): Outbox<KnexTransaction, Events> {
  return outboxOver(KNEX_ADAPTER, options);
}

/** Those of the default table, `public.outbox`: see {@link Outbox}. */
export const { publish, publishAll } = createOutbox();
