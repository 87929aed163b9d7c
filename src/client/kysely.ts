/** Writes events into the outbox table, in the transaction that makes the change they tell of: the entry point for Kysely. */
import { CompiledQuery } from 'kysely';
import { OutboxError } from './errors.ts';
import type { UntypedEvents } from './message.ts';
import type { OutboxOptions } from './options.ts';
import { type Outbox, type OutboxAdapter, outboxOver, type ResultRow } from './outbox.ts';

/** The `tx` of `db.transaction().execute(async (tx) => …)`, or what `startTransaction()` gives; with a dialect for Postgres. */
export interface KyselyTransaction {
  executeQuery(query: CompiledQuery): Promise<{ readonly rows: readonly unknown[] }>;
  readonly isTransaction: true;
}

const KYSELY_ADAPTER: OutboxAdapter<KyselyTransaction> = {
  requireTransaction({ isTransaction }: { isTransaction: boolean }) {
    if (!isTransaction)
      throw new OutboxError(
        'no_transaction',
        'expected the tx of db.transaction().execute(), not the Kysely instance itself',
      );
  },
  async insert(tx, { text }, parameter) {
    const { rows } = await tx.executeQuery(CompiledQuery.raw(text, [parameter]));
    return rows as readonly ResultRow[];
  },
};

/**
 * An outbox that is written through Kysely.
 *
 * @throws OutboxError `invalid_options`
 */
export function createOutbox<Events extends object = UntypedEvents>(
  options: OutboxOptions<Events> = {},
): Outbox<KyselyTransaction, Events> {
  return outboxOver(KYSELY_ADAPTER, options);
}

/** Those of the default table, `public.outbox`: see {@link Outbox}. */
export const { publish, publishAll } = createOutbox();
