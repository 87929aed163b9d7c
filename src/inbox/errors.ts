/** What went wrong in the inbox itself, rather than in a handler. */
export type InboxErrorCode =
  /** `createInbox` or an adapter was given something that cannot be. */
  | 'invalid_options'
  /** The database could not be reached, or did not take the record of the message: no handler has run. */
  | 'database_unavailable'
  /** The message has no id by which it could be told from others: none, an empty one, or one that Postgres cannot hold. */
  | 'no_id'
  /** A statement of the handler failed and it went on as if it had not: Postgres rolled the transaction back. */
  | 'transaction_aborted'
  /** The handler itself ended the transaction that it was given. */
  | 'transaction_ended'
  /** A dead letter holds the key of this message back. */
  | 'key_blocked'
  /** There is no dead letter at this position, of this consumer. */
  | 'no_such_letter'
  /** An earlier dead letter of the same key has to be dealt with first. */
  | 'not_first_of_key';

/** Thrown by the inbox; what a handler throws is passed on as it is. */
export class InboxError extends Error {
  override readonly name = 'InboxError';
  /** Stable, to be told apart by programs. */
  readonly code: InboxErrorCode;

  /** @param message never with a payload or a secret */
  constructor(code: InboxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Thrown by a handler to say that no attempt can ever succeed: the message goes to the dead letters at once. */
export class MessageRejected extends Error {
  override readonly name = 'MessageRejected';
}
