import type pg from 'pg';
import type { RelayError } from '../../core/errors.ts';
import { closeConnection, connectionLost } from '../../postgres/connection.ts';
import { postgresError } from '../../postgres/error.ts';

/** The SQL session beside a walsender: several parties look at the slot over it, one statement at a time. */
export class SqlSession {
  readonly #client: pg.Client;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** Resolves when the connection is over. */
  get lost(): Promise<RelayError> {
    return connectionLost(this.#client);
  }

  /**
   * Runs a statement once those before it have ended.
   *
   * @throws RelayError `postgres_*`
   */
  query<Row extends pg.QueryResultRow>(doing: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const run = this.#last.then(() => this.#client.query<Row>(text, [...values]));
    this.#last = run.catch(() => undefined);
    return run.then(
      ({ rows }) => rows,
      (error: unknown) => {
        throw postgresError(error, doing);
      },
    );
  }

  /** Ends the session within about a second. Never rejects. Idempotent. */
  close(): Promise<void> {
    return closeConnection(this.#client);
  }
}
