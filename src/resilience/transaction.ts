import { isConnectionFailure, sqlState } from '../core/postgres-failure.ts';
import { retry, type RetryOptions } from './retry.ts';

/**
 * What can be done about a transaction that failed.
 *
 * - `transient`: it was rolled back for certain, and may pass if it is repeated from its BEGIN.
 * - `ambiguous`: COMMIT was sent and its answer lost. It may have committed; only who can tell a repetition from the
 *   first time may repeat it.
 * - `permanent`: repeated, it fails again.
 */
export type TransactionFailure = 'transient' | 'ambiguous' | 'permanent';

/** Rolled back by the server, whenever it says so: at COMMIT, too. */
const ROLLED_BACK = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  'P2034', // both of them, as Prisma tells them
]);

/** No session, or its end. */
const SESSION_LOST = new Set([
  ...['08000', '08001', '08003', '08004', '08006'], // connection_exception and its kinds, but a protocol_violation
  '25006', // read_only_sql_transaction: this server has become a standby; nothing was written
  '53300', // too_many_connections
  ...['57P01', '57P02', '57P03'], // admin_shutdown, crash_shutdown, cannot_connect_now
  ...['P1001', 'P1002', 'P1008', 'P1017'], // Prisma: unreachable, timed out, closed
]);

/** Of Postgres.js, which has codes of its own. */
const CONNECTION_CODES = new Set(['CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT']);

const OUTCOME_UNKNOWN = new Set([
  '08007', // transaction_resolution_unknown
  '40003', // statement_completion_unknown
]);

/**
 * Classifies what a transaction on Postgres has failed by, through `pg` or a library above it: by SQLSTATE (looked for
 * in the causes too), else by errno.
 *
 * @param commitSent whether COMMIT may have reached the server when the error came: a session lost after that says
 *   nothing of the outcome
 */
export function classifyTransactionError(error: unknown, commitSent: boolean): TransactionFailure {
  const state = stateOfRawStatement(error) ?? sqlState(error);
  if (state !== null && ROLLED_BACK.has(state)) return 'transient';
  if (state !== null && OUTCOME_UNKNOWN.has(state)) return 'ambiguous';
  const lost = state === null ? isConnectionFailure(error) || hasConnectionCode(error) : SESSION_LOST.has(state);
  if (!lost) return 'permanent';
  return commitSent ? 'ambiguous' : 'transient';
}

/** Prisma's code for whatever a raw statement fails by: the SQLSTATE is in its `meta`, put there by a driver adapter or by the engine. */
const RAW_STATEMENT_FAILED = 'P2010';

function stateOfRawStatement(error: unknown): string | null {
  if (propertyAt(error, ['code']) !== RAW_STATEMENT_FAILED) return null;
  const state =
    propertyAt(error, ['meta', 'driverAdapterError', 'cause', 'originalCode']) ?? propertyAt(error, ['meta', 'code']);
  return typeof state === 'string' ? state : null;
}

function propertyAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[name] : undefined),
    value,
  );
}

function hasConnectionCode(error: unknown): boolean {
  return error instanceof Error && CONNECTION_CODES.has(String((error as { code?: unknown }).code));
}

/** Marks the work between BEGIN and COMMIT: what fails in it was never committed. */
export type TransactionBody = <T>(work: () => Promise<T>) => Promise<T>;

export interface TransactionRetryOptions extends Omit<RetryOptions, 'isTransient'> {
  /**
   * Whether a transaction that has committed does nothing when it comes again, as an inbox or a row with a unique
   * message id makes it. Then an ambiguous COMMIT is repeated too; else it is thrown. @default false
   */
  readonly idempotent?: boolean;
  /** Cancels between attempts; a transaction under way ends by its own means. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a whole transaction, from BEGIN to COMMIT, and repeats it where that is safe.
 *
 *     await retryTransaction((body) => db.transaction().execute((tx) => body(() => placeOrder(tx))));
 *
 * @param transaction runs in one transaction all that it does, with its work inside of `body`: it tells apart what
 *   failed before COMMIT was sent. Each attempt begins a new transaction; effects outside of it happen again.
 */
export async function retryTransaction<T>(
  transaction: (body: TransactionBody) => Promise<T>,
  options: TransactionRetryOptions = {},
): Promise<T> {
  const { idempotent = false, signal, ...retryOptions } = options;
  let current = new Attempt();
  const isTransient = (error: unknown): boolean => {
    const failure = classifyTransactionError(error, current.commitSent);
    return failure === 'transient' || (failure === 'ambiguous' && idempotent);
  };
  const attempt = async (): Promise<T> => {
    current = new Attempt();
    const result = await transaction(current.body);
    if (!current.commitSent) throw new TypeError('retryTransaction: the work has to be run inside of body(...)');
    return result;
  };
  return retry({ ...retryOptions, isTransient }).execute(attempt, signal);
}

class Attempt {
  /** Once the work has ended, any moment may be the COMMIT's. */
  commitSent = false;

  readonly body: TransactionBody = async (work) => {
    const result = await work();
    this.commitSent = true;
    return result;
  };
}
