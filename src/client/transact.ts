import { retryTransaction, type TransactionRetryOptions } from '../resilience/index.ts';
import { OutboxError } from './errors.ts';

/** A session of a pool of `pg`, as far as a transaction needs it. */
export interface PooledSession {
  query(text: string): Promise<{ readonly command: string }>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
  /** With true it is closed, not used again. */
  release(destroy?: boolean): void;
}

/** `pg.Pool`. */
export interface SessionPool {
  connect(): Promise<PooledSession>;
}

/** What a pool gives: of `pg.Pool`, whose `connect` may be called in two ways, a `pg.PoolClient`. */
export type SessionOf<Pool extends SessionPool> = Pool extends {
  connect: { (): Promise<infer Session extends PooledSession>; (callback: never): void };
}
  ? Session
  : Awaited<ReturnType<Pool['connect']>>;

/** How a transaction is run. */
export interface TransactOptions extends TransactionRetryOptions {
  /** @default 'read committed' */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

const BEGIN = {
  'read committed': 'BEGIN ISOLATION LEVEL READ COMMITTED',
  'repeatable read': 'BEGIN ISOLATION LEVEL REPEATABLE READ',
  serializable: 'BEGIN ISOLATION LEVEL SERIALIZABLE',
} as const;

/**
 * Runs `work` in a transaction on a session of the pool: BEGIN, COMMIT, or ROLLBACK when it throws. The whole of it is
 * repeated after a serialization failure, a deadlock, or the loss of the session before COMMIT was sent; after a COMMIT
 * whose answer was lost only with `idempotent: true`.
 *
 * @param work does all that it does through its session; other effects happen again with each attempt
 * @throws what `work` or the database has thrown last; OutboxError `rolled_back` when the server has answered COMMIT with
 *   ROLLBACK, since `work` had swallowed the error of a statement
 */
export function transact<T, Pool extends SessionPool>(
  pool: Pool,
  work: (tx: SessionOf<Pool>) => Promise<T>,
  { isolation = 'read committed', ...retrying }: TransactOptions = {},
): Promise<T> {
  return retryTransaction(async (body) => {
    const session = await pool.connect();
    // An open session tells its loss as an event as well, which would end the process where nobody listens.
    const ignore = (): void => undefined;
    session.on('error', ignore);
    let reusable = false;
    try {
      await session.query(BEGIN[isolation]);
      const result = await body(() => work(session as SessionOf<Pool>));
      const { command } = await session.query('COMMIT');
      reusable = true;
      if (command === 'ROLLBACK') throw rolledBack();
      return result;
    } catch (error) {
      reusable ||= await rollback(session);
      throw error;
    } finally {
      session.off('error', ignore);
      session.release(!reusable);
    }
  }, retrying);
}

/** @returns whether the session can be used by others */
async function rollback(session: PooledSession): Promise<boolean> {
  try {
    await session.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

function rolledBack(): OutboxError {
  return new OutboxError(
    'rolled_back',
    'the transaction was rolled back at COMMIT, since a statement in it had failed and its error was swallowed',
  );
}
