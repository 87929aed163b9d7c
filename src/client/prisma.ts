/** Writes events into the outbox table, in the transaction that makes the change they tell of: the entry point for Prisma. */
import { OutboxError } from './errors.ts';
import type { UntypedEvents } from './message.ts';
import type { OutboxOptions } from './options.ts';
import { type Outbox, type OutboxAdapter, outboxOver, type ResultRow } from './outbox.ts';

/** The `tx` of an interactive transaction: `prisma.$transaction(async (tx) => …)`. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: string[]): PromiseLike<unknown>;
  /** Of the client itself, which is no transaction. */
  readonly $connect?: never;
}

const PRISMA_ADAPTER: OutboxAdapter<PrismaTransaction> = {
  requireTransaction({ $connect }: { $connect?: unknown }) {
    if ($connect !== undefined)
      throw new OutboxError(
        'no_transaction',
        'expected the tx of prisma.$transaction(async (tx) => …), not the PrismaClient itself',
      );
  },
  insert: async (tx, { text }, parameter) => (await tx.$queryRawUnsafe(text, parameter)) as readonly ResultRow[],
};

/**
 * An outbox that is written through Prisma.
 *
 * @throws OutboxError `invalid_options`
 */
export function createOutbox<Events extends object = UntypedEvents>(
  options: OutboxOptions<Events> = {},
): Outbox<PrismaTransaction, Events> {
  return outboxOver(PRISMA_ADAPTER, options);
}

/** Those of the default table, `public.outbox`: see {@link Outbox}. */
export const { publish, publishAll } = createOutbox();
