/** What the outbox client refuses. Errors of the database come through as the driver throws them. */
export type OutboxErrorCode =
  /** `createOutbox` was given something that cannot be: a name, a limit, a column twice. */
  | 'invalid_options'
  /** What was given as transaction is a pool, a root client, or a session outside of a transaction. */
  | 'no_transaction'
  /** A message lacks something, or has something that the relay could not publish. */
  | 'invalid_message'
  /** A message is larger than the limits of the outbox. */
  | 'message_too_large'
  /** The event's type is not one of those that the outbox was created with. */
  | 'unknown_event'
  /** The payload does not fit the schema of its event type. */
  | 'invalid_payload'
  /** Postgres has answered COMMIT with ROLLBACK: see `transact`. */
  | 'rolled_back';

/** One fault of a message, as a schema or the client itself found it. */
export interface OutboxIssue {
  /** Where: `payload.lines[0].sku`, `headers.tenant`, `aggregateId`. */
  readonly path: string;
  /** What was expected; from a schema in its own words. */
  readonly message: string;
}

/** Where an {@link OutboxError} arose. */
export interface OutboxErrorDetails {
  readonly cause?: unknown;
  /** The type of the event at fault. */
  readonly eventType?: string | undefined;
  /** Its place in what was given to `publishAll`, from 0. */
  readonly index?: number | undefined;
  readonly issues?: readonly OutboxIssue[];
}

/** Thrown by the outbox client. But for `rolled_back`, nothing has been written yet: the transaction is as it was, and can go on. */
export class OutboxError extends Error {
  override readonly name = 'OutboxError';
  /** Stable, to be told apart by programs. */
  readonly code: OutboxErrorCode;
  readonly eventType: string | undefined;
  readonly index: number | undefined;
  readonly issues: readonly OutboxIssue[];

  /** @param message never with a value of the payload */
  constructor(code: OutboxErrorCode, message: string, details: OutboxErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.eventType = details.eventType;
    this.index = details.index;
    this.issues = details.issues ?? [];
  }
}
