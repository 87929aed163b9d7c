import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { closeConnection, connectionLost, connectSql, sessionPlace, type PostgresOptions } from './connection.ts';
import { withinDeadline } from './deadline.ts';
import { postgresError } from './error.ts';

/** How a {@link SqlSession} is set up. */
export interface SqlSessionOptions {
  /** What the session is for, as `pg_stat_activity` shows it behind the application name. */
  readonly role: string;
  /** More session settings, over those of every session. @default {} */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long a statement may take, lock waits included, in milliseconds. @default 30000 */
  readonly statementTimeoutMs?: number;
}

const STATEMENT_TIMEOUT_MS = 30_000;
/** The server ends a statement first, which leaves the connection usable; we give up only when it does not answer. */
const ANSWER_GRACE_MS = 5_000;

/**
 * One connection for single statements, one at a time: what is asked meanwhile waits in order. It connects on first
 * use, and again on the next use after a loss; the statement that met the loss fails, since its fate is unknown.
 */
export class SqlSession {
  readonly #postgres: PostgresOptions;
  readonly #role: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #answerMs: number;
  readonly #closing = new AbortController();
  #client: pg.Client | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(postgres: PostgresOptions, options: SqlSessionOptions) {
    const timeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    this.#postgres = postgres;
    this.#role = options.role;
    this.#settings = { statement_timeout: String(timeoutMs), ...options.settings };
    this.#answerMs = timeoutMs + ANSWER_GRACE_MS;
  }

  /**
   * Runs one statement in a transaction of its own and returns its rows.
   *
   * @param doing for the message of an error, in the form 'deleting published rows'
   * @throws RelayError `postgres_*`
   */
  query<Row extends pg.QueryResultRow>(doing: string, statement: string | pg.QueryConfig): Promise<Row[]> {
    const result = this.#last.then(() => this.#run<Row>(doing, statement));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Lets what has been asked finish within `deadlineMs`, then ends the connection. Never rejects. Idempotent. */
  async close(deadlineMs = 1_000): Promise<void> {
    const giveUp = new Promise<void>((resolve) => {
      setTimeout(resolve, deadlineMs).unref();
    });
    await Promise.race([this.#last, giveUp]);
    this.#closing.abort();
    if (this.#client !== undefined) await closeConnection(this.#client, deadlineMs);
  }

  async #run<Row extends pg.QueryResultRow>(doing: string, statement: string | pg.QueryConfig): Promise<Row[]> {
    if (this.#closing.signal.aborted) throw new RelayError('postgres_unreachable', `${doing}: the session is closed`);
    try {
      const client = await this.#connected();
      const result = await withinDeadline(client, this.#answerMs, client.query<Row>(statement));
      return result.rows;
    } catch (error) {
      const failure = postgresError(error, doing);
      // The end of the connection is told after the failure of its statement; the next one must not meet it again. A
      // server that has become read-only is left: the primary may be another one now.
      if (failure.code === 'postgres_unreachable' || failure.code === 'postgres_not_primary') this.#leave();
      throw failure;
    }
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined && !this.#mayStay(this.#client)) this.#leave();
    if (this.#client !== undefined) return this.#client;
    const client = await connectSql(this.#postgres, this.#role, this.#settings, this.#closing.signal);
    this.#client = client;
    void connectionLost(client).then(() => {
      if (this.#client === client) this.#client = undefined;
    });
    return client;
  }

  /** Whether the server is still one of those that will do: another one may have been met since. */
  #mayStay(client: pg.Client): boolean {
    const { primary } = sessionPlace(client);
    return primary === null || !this.#postgres.admission?.refusal(primary);
  }

  #leave(): void {
    if (this.#client !== undefined) void closeConnection(this.#client);
    this.#client = undefined;
  }
}
