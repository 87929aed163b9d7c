import { timeout } from '../resilience/timeout.ts';
import type { InboxClient, InboxPool, QueryResult } from './client.ts';
import { InboxError } from './errors.ts';

/** Postgres's notice on a COMMIT outside of a transaction (no_active_sql_transaction). */
const NO_TRANSACTION = '25P01';

/** What has become of a session. */
export interface SessionHealth {
  /** Why it ended, as the client library tells it; null while it lives. */
  lost: Error | null;
}

/** How transactions are run. */
export interface TransactionSettings<Client extends InboxClient> {
  readonly pool: InboxPool<Client>;
  /** One simple query that begins the transaction and sets what holds in it. */
  readonly begin: string;
  /** How long the database may take to answer what the inbox itself asks, in ms; a silent one is taken to be away. */
  readonly answerMs: number;
}

/**
 * Runs `work` in one transaction of a session of its own. Whatever goes wrong, the session is thrown away, by which the server
 * rolls back: statements that a failed handler has not waited for can never become part of another message's transaction.
 *
 * @param health told when the session is lost
 * @throws InboxError `database_unavailable` when it does not begin, `transaction_aborted`, `transaction_ended`; what `work` throws
 */
export async function inTransaction<Client extends InboxClient, T>(
  settings: TransactionSettings<Client>,
  health: SessionHealth,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await settings.pool
    .connect()
    .catch((error: unknown) => unavailable('no session was to be had', error));
  const unwatch = watchErrors(client, health);
  let committed = false;
  try {
    await answered(settings, 'no transaction was begun', () => client.query(settings.begin));
    const result = await work(client);
    await commit(client);
    committed = true;
    return result;
  } finally {
    unwatch();
    client.release(!committed);
  }
}

/** Runs a statement of the inbox's own. @throws InboxError `database_unavailable`, whatever it fails by */
export async function answered<T>(
  { answerMs }: { readonly answerMs: number },
  otherwise: string,
  statement: () => Promise<T>,
): Promise<T> {
  try {
    return await timeout({ ms: answerMs, name: 'the database' }).execute(statement);
  } catch (error) {
    return unavailable(otherwise, error);
  }
}

function unavailable(what: string, cause: unknown): never {
  throw new InboxError('database_unavailable', `the inbox: ${what}`, { cause });
}

async function commit(client: InboxClient): Promise<void> {
  const notices: (string | undefined)[] = [];
  const onNotice = ({ code }: { readonly code?: string | undefined }): void => {
    notices.push(code);
  };
  client.on('notice', onNotice);
  let result: QueryResult;
  try {
    result = await client.query('COMMIT');
  } finally {
    client.removeListener('notice', onNotice);
  }
  if (result.command !== 'COMMIT')
    throw new InboxError(
      'transaction_aborted',
      'a statement of the handler failed and the handler did not say so: all that it wrote was rolled back. Let it throw, or use a savepoint',
    );
  if (notices.includes(NO_TRANSACTION))
    throw new InboxError('transaction_ended', 'the handler has ended the transaction that it was given');
}

/** An error event that nobody listens to would end the process, and a pool does not listen to clients in use. */
function watchErrors(client: InboxClient, health: SessionHealth): () => void {
  const onError = (error: Error): void => {
    health.lost ??= error;
  };
  client.on('error', onError);
  return () => {
    // A session that is gone may tell so more than once.
    if (health.lost === null) client.removeListener('error', onError);
  };
}
