import type { OutboxTable } from '../core/table.ts';
import type { PostgresOptions } from '../postgres/connection.ts';
import { postgresError } from '../postgres/error.ts';
import { expirePublished } from '../postgres/published-ids.ts';
import { SqlSession } from '../postgres/session.ts';
import type { RelayError } from '../core/errors.ts';

const INTERVAL_MS = 30_000;
/** Of one statement: some milliseconds of work. */
const BATCH = 5_000;

/** Deletes the ids of rows that were published long ago, now and then, in small batches, on a session of its own. */
export class PublishedExpiry {
  readonly #session: SqlSession;
  readonly #table: OutboxTable;
  readonly #retainMs: number;
  readonly #failed: (error: RelayError) => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(postgres: PostgresOptions, table: OutboxTable, retainMs: number, failed: (error: RelayError) => void) {
    this.#session = new SqlSession(postgres, { role: 'published' });
    this.#table = table;
    this.#retainMs = retainMs;
    this.#failed = failed;
  }

  start(): void {
    void this.#expire()
      .catch((error: unknown) => {
        const doing = 'deleting old ids of published rows';
        if (!this.#stopped) this.#failed(postgresError(error, doing));
      })
      .finally(() => {
        if (!this.#stopped) this.#timer = setTimeout(() => this.start(), INTERVAL_MS);
      });
  }

  async close(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#session.close();
  }

  async #expire(): Promise<void> {
    for (let expired = BATCH; expired === BATCH && !this.#stopped;) {
      expired = await expirePublished(this.#session, this.#table, this.#retainMs, BATCH);
    }
  }
}
