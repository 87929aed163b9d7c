import { createHash } from 'node:crypto';
import { sqlState } from '../core/postgres-failure.ts';
import { timeout } from '../resilience/timeout.ts';
import type { InboxClient } from './client.ts';
import { storable } from './dead-letter.ts';
import { InboxError, MessageRejected } from './errors.ts';
import type { Handler, Identified } from './message.ts';
import type { InboxSettings } from './options.ts';
import type { InboxStatements, Recorded } from './statements.ts';
import { answered, inTransaction, type SessionHealth } from './transaction.ts';

/** Whose fault it is that an attempt failed, and so what follows from it. */
export type FailureKind =
  /** The handler said that no attempt can succeed. */
  | 'rejected'
  /** The handler's, or the message's: counted. */
  | 'failed'
  /** The session was lost under the handler, and the server did not say why: it may be the handler that ends it. */
  | 'session_lost'
  /** The database's: it is waited for, however long. */
  | 'unavailable';

/** An attempt that was rolled back, or whose end is not known; the cause is what was thrown. */
export class AttemptFailed extends Error {
  override readonly name = 'AttemptFailed';
  readonly kind: FailureKind;

  constructor(kind: FailureKind, cause: unknown) {
    super(kind, { cause });
    this.kind = kind;
  }
}

/**
 * The server's trouble, not the statement's fault: connections, resources, ended sessions, system errors, a server that has
 * become a standby (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const SERVER_IN_TROUBLE = /^(08|53|57P|58)|^25006$/;

/** Longer ids are recorded by their hash: an index entry must fit. */
const MAX_ID_LENGTH = 255;

/** What one attempt is given. */
export interface AttemptParts<Client, Message> {
  readonly message: Message;
  readonly handler: Handler<Client, Message>;
  /** Aborted: the attempt is to be given up. */
  readonly signal: AbortSignal;
  readonly attempt: number;
}

/**
 * Handles a message once: in one transaction its id is recorded and `onRecorded` does what has to be done for a new one.
 *
 * @returns what the database said to the id
 * @throws AttemptFailed
 */
export async function recordOnce<Client extends InboxClient>(
  settings: InboxSettings<Client>,
  statements: InboxStatements,
  message: Identified,
  onRecorded: (client: Client, recorded: Recorded) => Promise<unknown>,
): Promise<Recorded> {
  const health: SessionHealth = { lost: null };
  try {
    return await inTransaction(settings, health, async (client) => {
      const key = settings.blocksKey ? (message.orderKey ?? null) : null;
      const recorded = await answered(settings, 'the id of a message was not recorded', async () => {
        if (key !== null) await statements.lockKey(client, key);
        return statements.record(client, recordedId(message.id), key);
      });
      await onRecorded(client, recorded);
      return recorded;
    });
  } catch (error) {
    throw new AttemptFailed(failureKind(error, health.lost), error);
  }
}

/** Runs a handler, no longer than it may take. */
export async function runHandler<Client extends InboxClient, Message>(
  { timeoutMs, consumer }: InboxSettings<Client>,
  client: Client,
  { message, handler, signal, attempt }: AttemptParts<Client, Message>,
): Promise<void> {
  const limit = timeout({ ms: timeoutMs, name: `the handler of ${consumer}` });
  await limit.execute(async (own) => handler(client, message, { signal: own, attempt }), signal);
}

/** Whether messages can be told apart by such an id: what has none must not all be taken for one. */
export function isUsableId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && storable(id) === id;
}

/** An id as it is recorded: its hash where it is long. */
export function recordedId(id: string): string {
  return id.length <= MAX_ID_LENGTH ? id : `sha256:${createHash('sha256').update(id).digest('hex')}`;
}

/** @param lost why the session ended, where it did */
export function failureKind(error: unknown, lost: Error | null): FailureKind {
  if (error instanceof MessageRejected) return 'rejected';
  if (error instanceof InboxError && error.code === 'database_unavailable') return 'unavailable';
  const state = sqlState(error) ?? sqlState(lost);
  if (state !== null) return SERVER_IN_TROUBLE.test(state) ? 'unavailable' : 'failed';
  return lost === null ? 'failed' : 'session_lost';
}
