import type pg from 'pg';
import type { OutboxTable } from '../core/table.ts';
import { columnReference, textExpression } from '../postgres/column-text.ts';
import { postgresError } from '../postgres/error.ts';
import { companionTables, quoteTable } from '../postgres/identifier.ts';

/** An entry of the record, as it is read; times are in milliseconds since 1970 by the database's clock. */
export interface RecordEntry {
  readonly position: bigint;
  readonly id: string;
  readonly address: string;
  readonly routingKey: string | null;
  readonly key: string | null;
  readonly deadLetter: boolean;
  readonly publishedAt: number;
}

/** An address of the record. */
export interface RecordAddress {
  readonly address: string;
  readonly routingKey: string | null;
}

const DOING = 'reading the record of published ids';
const FETCH = 10_000;
/** Addresses are few; where they are not, the first ones will do to find topics and bindings. */
const ADDRESSES = 10_000;
const TIME = 'extract(epoch FROM published_at)::float8 * 1000';

/** The record of published ids and the outbox beside it, read on a session of its own. Changes nothing. */
export class PublishedRecord {
  readonly #client: pg.Client;
  readonly #table: OutboxTable;
  readonly #published: string;

  constructor(client: pg.Client, table: OutboxTable) {
    this.#client = client;
    this.#table = table;
    this.#published = quoteTable(companionTables(table).published);
  }

  /** The database's clock. */
  async clock(): Promise<number> {
    const [row] = await this.#rows<{ now: number }>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now',
    );
    return row?.now ?? 0;
  }

  /** When the oldest entry was made; null when there is none, or no record that can be read. */
  async begin(): Promise<number | null> {
    const { schema, name } = companionTables(this.#table).published;
    const readable = await this.#rows(
      `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relname = $2 AND has_table_privilege(c.oid, 'SELECT')`,
      [schema, name],
    );
    if (readable.length === 0) return null;
    const [row] = await this.#rows<{ at: number | null }>(`SELECT min(${TIME}) AS at FROM (
      SELECT published_at FROM ${this.#published} ORDER BY published_at LIMIT 1) oldest`);
    return row?.at ?? null;
  }

  /** Where rows of a destination went since a time. */
  async addresses(destination: string, since: number): Promise<readonly RecordAddress[]> {
    return this.#rows<{ address: string; routingKey: string | null }>(
      `SELECT DISTINCT address, routing_key AS "routingKey" FROM ${this.#published}
       WHERE destination = $1 AND published_at >= to_timestamp($2::float8 / 1000) LIMIT ${ADDRESSES}`,
      [destination, since],
    );
  }

  /** The highest position that is in the outbox or, with a record, in that; 0 when there is none. */
  async highestPosition(recorded: boolean): Promise<bigint> {
    const position = columnReference(this.#table.position);
    const inRecord = recorded ? `(SELECT max(position) FROM ${this.#published})` : 'NULL';
    const [row] = await this.#rows<{ highest: string }>(
      `SELECT greatest((SELECT max(${position})::bigint FROM ${quoteTable(this.#table)} o), ${inRecord}, 0)::text AS highest`,
    );
    return BigInt(row?.highest ?? 0);
  }

  /** How many rows of a destination are parked. */
  async parkedRows(destination: string): Promise<number> {
    const parked = quoteTable(companionTables(this.#table).parked);
    const [row] = await this.#rows<{ count: number }>(
      `SELECT count(*)::int AS count FROM ${parked} WHERE destination = $1`,
      [destination],
    );
    return row?.count ?? 0;
  }

  /** Does several looks in one snapshot: a row is then either in the outbox or in the record, never in neither. */
  async inOneSnapshot(look: () => Promise<void>): Promise<void> {
    await this.#rows('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    try {
      await look();
    } finally {
      // nothing was written: this ends the snapshot either way
      await this.#client.query('ROLLBACK').catch(() => undefined);
    }
  }

  /** Goes through a destination's entries since a time. Within {@link inOneSnapshot}. */
  async eachEntry(destination: string, since: number, visit: (entry: RecordEntry) => void): Promise<void> {
    type Cells = [string, string, string, string | null, string | null, boolean, number];
    await this.#each(
      `SELECT position::text, id, address, routing_key, key, dead_letter, ${TIME} FROM ${this.#published}
       WHERE destination = $1 AND published_at >= to_timestamp($2::float8 / 1000)`,
      [destination, since],
      (cells) => {
        const [position, id, address, routingKey, key, deadLetter, publishedAt] = cells as Cells;
        visit({ position: BigInt(position), id, address, routingKey, key, deadLetter, publishedAt });
      },
    );
  }

  /** Goes through the ids of all rows of the outbox. Within {@link inOneSnapshot}. */
  async eachRow(visit: (id: string) => void): Promise<void> {
    const id = textExpression(this.#table.id);
    await this.#each(`SELECT ${id} FROM ${quoteTable(this.#table)} o`, [], ([text]) => visit(text as string));
  }

  async #each(sql: string, values: unknown[], visit: (cells: readonly unknown[]) => void): Promise<void> {
    await this.#rows(`DECLARE rows NO SCROLL CURSOR FOR ${sql}`, values);
    for (let more = true; more;) {
      const { rows } = await this.#client
        .query<unknown[]>({ text: `FETCH FORWARD ${FETCH} FROM rows`, rowMode: 'array' })
        .catch((error: unknown) => {
          throw postgresError(error, DOING);
        });
      rows.forEach(visit);
      more = rows.length === FETCH;
    }
    await this.#rows('CLOSE rows');
  }

  async #rows<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    try {
      return (await this.#client.query<Row>(sql, values)).rows;
    } catch (error) {
      throw postgresError(error, DOING);
    }
  }
}
