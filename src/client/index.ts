/** Writes events into the outbox table, in the transaction that makes the change they tell of: the entry point for `pg`. */
import type { UntypedEvents } from './message.ts';
import type { OutboxOptions } from './options.ts';
import { type Outbox, outboxOver } from './outbox.ts';
import { PG_ADAPTER, type PgTransaction } from './pg.ts';

export { OutboxError, type OutboxErrorCode, type OutboxErrorDetails, type OutboxIssue } from './errors.ts';
export type { HeaderValue, MessageOf, OutboxMessage, UntypedEvents } from './message.ts';
export type { IdSource, OutboxColumns, OutboxLimits, OutboxOptions, PayloadKind } from './options.ts';
export { type Outbox, type OutboxAdapter, outboxOver, type ResultRow } from './outbox.ts';
export { type OutboxStatement } from './statement.ts';
export { type PooledSession, type SessionOf, type SessionPool, transact, type TransactOptions } from './transact.ts';
export type { PgTransaction } from './pg.ts';
export type { SchemaIssue, StandardSchema, ValidationResult } from './standard-schema.ts';
export type { TraceCarrier } from './trace-context.ts';
export { uuidv7 } from './uuid-v7.ts';

/**
 * An outbox that is written through `pg`.
 *
 * @throws OutboxError `invalid_options`
 */
export function createOutbox<Events extends object = UntypedEvents>(
  options: OutboxOptions<Events> = {},
): Outbox<PgTransaction, Events> {
  return outboxOver(PG_ADAPTER, options);
}

/** Writes one event into the default table, `public.outbox`: see {@link Outbox.publish}. */
export const { publish, publishAll } = createOutbox();
