/** Writes events into the outbox table, in the transaction that makes the change they tell of: the entry point for TypeORM. */
import { OutboxError } from './errors.ts';
import type { UntypedEvents } from './message.ts';
import type { OutboxOptions } from './options.ts';
import { type Outbox, type OutboxAdapter, outboxOver, type ResultRow } from './outbox.ts';

/** The manager of `dataSource.transaction(async (manager) => …)`, or a QueryRunner after `startTransaction()`. */
export interface TypeOrmTransaction {
  query(query: string, parameters: string[]): Promise<unknown>;
  /** Of a QueryRunner. */
  readonly isTransactionActive?: boolean;
  /** Of a manager: what it was made for. */
  readonly queryRunner?: { readonly isTransactionActive: boolean } | undefined;
}

const TYPEORM_ADAPTER: OutboxAdapter<TypeOrmTransaction> = {
  requireTransaction(tx) {
    if (tx.isTransactionActive !== true && tx.queryRunner?.isTransactionActive !== true)
      throw new OutboxError(
        'no_transaction',
        'expected the manager of dataSource.transaction(), or a QueryRunner after startTransaction(), not the DataSource or its own manager',
      );
  },
  insert: async (tx, { text }, parameter) => (await tx.query(text, [parameter])) as readonly ResultRow[],
};

/**
 * An outbox that is written through TypeORM.
 *
 * @throws OutboxError `invalid_options`
 */
export function createOutbox<Events extends object = UntypedEvents>(
  options: OutboxOptions<Events> = {},
): Outbox<TypeOrmTransaction, Events> {
  return outboxOver(TYPEORM_ADAPTER, options);
}

/** Those of the default table, `public.outbox`: see {@link Outbox}. */
export const { publish, publishAll } = createOutbox();
