/** `outbox-relay/inbox`: an idempotent consumer on Postgres. See docs/inbox.md. */
export type { CleanupOptions } from './cleanup.ts';
export type { InboxClient, InboxPool, Queryable, QueryResult, Row } from './client.ts';
export type { ConsumeOptions, Consuming, StopOptions } from './consume-options.ts';
export type { DeadLetter, DeadLetterReason } from './dead-letter.ts';
export { DeadLetters, type ListOptions, type RetryOptions, type RetryReport } from './dead-letters.ts';
export { InboxError, type InboxErrorCode, MessageRejected } from './errors.ts';
export type { InboxEvent } from './events.ts';
export { createInbox, type HandleOptions, Inbox } from './inbox.ts';
export type {
  Decode,
  Delivery,
  DeliverySource,
  Handler,
  HandlerContext,
  Identified,
  InboxMessage,
  Outcome,
} from './message.ts';
export type { AfterDeadLetter, AttemptOptions, InboxOptions, Isolation } from './options.ts';
export { createInboxTables, inboxTablesSql, type TablesOptions } from './tables.ts';
