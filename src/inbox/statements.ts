import type { Queryable, Row } from './client.ts';
import type { DeadLetter, DeadLetterReason, NewDeadLetter } from './dead-letter.ts';
import type { DeliverySource } from './message.ts';
import type { InboxTables } from './tables.ts';

/** What the database said to the record of an id; `held`: it is new, and a dead letter holds its key back. */
export type Recorded = 'new' | 'known' | 'held';

/** Which dead letters are meant. */
export interface LetterFilter {
  /** Behind this position. */
  readonly after: string;
  /** Of this order key; null: of any. */
  readonly orderKey: string | null;
  readonly limit: number;
}

const LETTER_COLUMNS = `position::text, id, key, order_key, type, headers, payload, source, reason, error, attempts, created_at`;

/** The statements on the inbox's tables, for one consumer. */
export class InboxStatements {
  readonly #tables: InboxTables;
  readonly #consumer: string;

  constructor(tables: InboxTables, consumer: string) {
    this.#tables = tables;
    this.#consumer = consumer;
  }

  /** Has the transactions of a key come one after the other, also those of other processes. */
  async lockKey(tx: Queryable, orderKey: string): Promise<void> {
    await tx.query({
      text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, hashtext($2)))',
      values: [orderKey, this.#consumer],
    });
  }

  /** Records an id; waits for a transaction that is just recording it. @param orderKey null: it cannot be held */
  async record(tx: Queryable, id: string, orderKey: string | null): Promise<Recorded> {
    const { rows } = await tx.query({
      text: `INSERT INTO ${this.#tables.ids} (consumer, id) VALUES ($1, $2) ON CONFLICT DO NOTHING
        RETURNING EXISTS (SELECT FROM ${this.#tables.deadLetters} WHERE consumer = $1 AND order_key = $3::text) AS held`,
      values: [this.#consumer, id, orderKey],
    });
    const [row] = rows;
    if (row === undefined) return 'known';
    return row.held === true ? 'held' : 'new';
  }

  /** Deletes ids that were handled longer ago, at most so many, leaving out those that somebody else is deleting. @returns how many */
  async deleteIds(database: Queryable, olderThanMs: number, limit: number): Promise<number> {
    const { rowCount } = await database.query({
      text: `DELETE FROM ${this.#tables.ids} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${this.#tables.ids}
        WHERE consumer = $1 AND handled_at < now() - make_interval(secs => $2::float8 / 1000)
        ORDER BY handled_at LIMIT $3 FOR UPDATE SKIP LOCKED))`,
      values: [this.#consumer, olderThanMs, limit],
    });
    return rowCount ?? 0;
  }

  async insertLetter(tx: Queryable, letter: NewDeadLetter): Promise<DeadLetter> {
    const { rows } = await tx.query({
      text: `INSERT INTO ${this.#tables.deadLetters}
        (consumer, id, key, order_key, type, headers, payload, source, reason, error, attempts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING ${LETTER_COLUMNS}`,
      values: [
        ...[this.#consumer, letter.id, letter.key, letter.orderKey, letter.type, JSON.stringify(letter.headers)],
        ...[letter.body, JSON.stringify(letter.source), letter.reason, letter.error, letter.attempts],
      ],
    });
    const [row] = rows;
    if (row === undefined) throw new TypeError('a dead letter was inserted, and not returned');
    return letterOf(row);
  }

  async letters(database: Queryable, { after, orderKey, limit }: LetterFilter): Promise<DeadLetter[]> {
    const { rows } = await database.query({
      text: `SELECT ${LETTER_COLUMNS} FROM ${this.#tables.deadLetters}
        WHERE consumer = $1 AND position > $2 AND ($3::text IS NULL OR order_key = $3) ORDER BY position LIMIT $4`,
      values: [this.#consumer, after, orderKey, limit],
    });
    return rows.map(letterOf);
  }

  /** Takes a dead letter out of the table; null: it is not there. Waits for whoever else is at it. */
  async takeLetter(tx: Queryable, position: string): Promise<DeadLetter | null> {
    const { rows } = await tx.query({
      text: `DELETE FROM ${this.#tables.deadLetters} WHERE consumer = $1 AND position = $2 RETURNING ${LETTER_COLUMNS}`,
      values: [this.#consumer, position],
    });
    return rows[0] === undefined ? null : letterOf(rows[0]);
  }

  async hasEarlierLetter(tx: Queryable, orderKey: string, position: string): Promise<boolean> {
    const { rowCount } = await tx.query({
      text: `SELECT FROM ${this.#tables.deadLetters} WHERE consumer = $1 AND order_key = $2 AND position < $3 LIMIT 1`,
      values: [this.#consumer, orderKey, position],
    });
    return rowCount !== 0;
  }

  /** Counts another attempt of a dead letter that failed again. */
  async noteAttempt(database: Queryable, position: string, error: string): Promise<void> {
    await database.query({
      text: `UPDATE ${this.#tables.deadLetters} SET attempts = attempts + 1, error = $3 WHERE consumer = $1 AND position = $2`,
      values: [this.#consumer, position, error],
    });
  }
}

function letterOf(row: Row): DeadLetter {
  return {
    position: row.position as string,
    id: row.id as string | null,
    key: row.key as string | null,
    orderKey: row.order_key as string | null,
    type: row.type as string | null,
    headers: row.headers as Readonly<Record<string, string>>,
    body: row.payload as Buffer | null,
    source: row.source as DeliverySource,
    reason: row.reason as DeadLetterReason,
    error: row.error as string,
    attempts: row.attempts as number,
    createdAt: row.created_at as Date,
  };
}
