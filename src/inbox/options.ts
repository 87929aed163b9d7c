import type { BackoffOptions } from '../core/backoff.ts';
import type { InboxClient, InboxPool } from './client.ts';
import type { DeadLetter } from './dead-letter.ts';
import { InboxError } from './errors.ts';
import type { InboxEvent } from './events.ts';
import { DEFAULT_TABLE, type InboxTables, inboxTables } from './tables.ts';
import type { TransactionSettings } from './transaction.ts';

/** What becomes of a key behind a dead letter, as `park-key` and `park-row` of the relay. */
export type AfterDeadLetter = 'block-key' | 'skip';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** How often a message is tried, and with which pauses: exponential back-off with full jitter. */
export interface AttemptOptions extends BackoffOptions {
  /** In all, the first one included. @default 10 */
  readonly attempts: number;
  /** Before the second attempt at most so long, in ms; doubled with each one. @default 200 */
  readonly baseMs: number;
  /** No pause is longer, in ms. @default 30000 */
  readonly maxMs: number;
}

export interface InboxOptions<Client extends InboxClient> {
  /** A `Pool` of `pg`, of the database in which handlers write. */
  readonly pool: InboxPool<Client>;
  /** Names who handles: each consumer handles a message once. Several may share the tables, and processes of one a name. */
  readonly consumer: string;
  /** As given to `createInboxTables`. @default 'public.inbox' */
  readonly table?: string;
  readonly retry?: Partial<AttemptOptions>;
  /** How long an attempt may take, in ms: a handler that takes longer is rolled back, and has failed. @default 30000 */
  readonly timeoutMs?: number;
  /** @default 'read committed' */
  readonly isolation?: Isolation;
  /**
   * `block-key`: later messages of its order key go unhandled behind a dead letter, in order, until it is retried or discarded.
   * `skip`: they are handled, and so overtake it.
   *
   * @default 'block-key'
   */
  readonly afterDeadLetter?: AfterDeadLetter;
  /** Runs in the transaction that writes a dead letter: publish it to a topic through the outbox here. Must not throw. */
  readonly onDeadLetter?: (tx: Client, letter: DeadLetter) => Promise<unknown>;
  /** For logs and metrics; called synchronously, must not throw. */
  readonly onEvent?: (event: InboxEvent) => void;
}

/** The options with all defaults, checked. */
export interface InboxSettings<Client extends InboxClient> extends TransactionSettings<Client> {
  readonly consumer: string;
  readonly tables: InboxTables;
  readonly retry: AttemptOptions;
  readonly timeoutMs: number;
  readonly blocksKey: boolean;
  readonly onDeadLetter: ((tx: Client, letter: DeadLetter) => Promise<unknown>) | null;
  readonly onEvent: (event: InboxEvent) => void;
}

const DEFAULT_RETRY: AttemptOptions = { attempts: 10, baseMs: 200, maxMs: 30_000 };
const DEFAULT_TIMEOUT_MS = 30_000;

/** How much longer than ours the server's own limits are: they are for a process that is stopped or cut off. */
const SERVER_MARGIN_MS = 5000;

const ISOLATIONS: Readonly<Record<Isolation, string>> = {
  'read committed': 'READ COMMITTED',
  'repeatable read': 'REPEATABLE READ',
  serializable: 'SERIALIZABLE',
};

/** @throws InboxError `invalid_options` */
export function resolveOptions<Client extends InboxClient>(options: InboxOptions<Client>): InboxSettings<Client> {
  const { consumer, pool } = options;
  if (typeof consumer !== 'string' || consumer === '' || consumer.includes('\0'))
    throw new InboxError('invalid_options', 'consumer: expected a name');
  const retry = { ...DEFAULT_RETRY, ...options.retry };
  wholeNumber('retry.attempts', retry.attempts, 1);
  wholeNumber('retry.baseMs', retry.baseMs, 0);
  wholeNumber('retry.maxMs', retry.maxMs, 0);
  const timeoutMs = wholeNumber('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1);
  return {
    pool,
    consumer,
    tables: inboxTables(options.table ?? DEFAULT_TABLE),
    retry,
    timeoutMs,
    // Longer than the server lets a statement wait for another transaction that records the same id.
    answerMs: timeoutMs + 2 * SERVER_MARGIN_MS,
    begin: beginStatement(options.isolation ?? 'read committed', timeoutMs),
    blocksKey: oneOf('afterDeadLetter', options.afterDeadLetter ?? 'block-key', ['block-key', 'skip']) === 'block-key',
    onDeadLetter: options.onDeadLetter ?? null,
    onEvent: options.onEvent ?? (() => undefined),
  };
}

/** @throws InboxError `invalid_options` when an option is no whole number from `least` on */
export function wholeNumber(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new InboxError('invalid_options', `${option}: expected a whole number of at least ${least}`);
}

function oneOf<T extends string>(option: string, given: T, known: readonly T[]): T {
  if (known.includes(given)) return given;
  throw new InboxError('invalid_options', `${option}: expected one of ${known.join(', ')}`);
}

function beginStatement(isolation: Isolation, timeoutMs: number): string {
  const level = ISOLATIONS[oneOf('isolation', isolation, Object.keys(ISOLATIONS) as Isolation[])];
  const limit = timeoutMs + SERVER_MARGIN_MS;
  return (
    `BEGIN ISOLATION LEVEL ${level}; SET LOCAL statement_timeout = ${limit}; ` +
    `SET LOCAL idle_in_transaction_session_timeout = ${limit}`
  );
}
