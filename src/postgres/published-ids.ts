import { RelayError } from '../core/errors.ts';
import type { Delivery, PublishedRow } from '../core/store.ts';
import { textArray } from './array-parameter.ts';
import { companionTables, quoteTable, type TableName } from './identifier.ts';
import type { SqlSession } from './session.ts';

const DELIVERY_COLUMNS = 'destination, address, routing_key, key';

/**
 * The parts of a delete statement by which the ids of the rows that it deletes are kept in `<table>_published`: in the
 * same statement, so that a row is in exactly one of the two tables whatever crashes.
 */
export interface Keeping {
  /** Further parameters of `unnest`, from $3 on: {@link deliveryArrays}. */
  readonly arrays: string;
  /** What they are called. */
  readonly columns: string;
  /** A common table expression behind one called `gone`, which returns `position, id` and these columns. */
  readonly insert: string;
}

/** Nothing is kept: the statement is as it would be without. */
export const KEEPING_NOTHING: Keeping = { arrays: '', columns: '', insert: '' };

/** Keeps the ids of the rows of `table`. */
export function keeping(table: TableName): Keeping {
  return {
    arrays: ', $3::text[], $4::text[], $5::text[], $6::text[]',
    columns: `, ${DELIVERY_COLUMNS}`,
    insert: `, kept AS (${insertInto(table)} SELECT position, id, ${DELIVERY_COLUMNS}, false FROM gone)`,
  };
}

/** The same for one row whose dead letter was acknowledged; its parameters, from $3 on, are {@link deliveryValues}. */
export function keepingDeadLetter(table: TableName): string {
  const values = '$1::bigint, $2::text, $3::text, $4::text, $5::text, $6::text, true';
  return `, kept AS (${insertInto(table)} SELECT ${values} FROM gone)`;
}

function insertInto(table: TableName): string {
  const name = quoteTable(companionTables(table).published);
  return `INSERT INTO ${name} (position, id, ${DELIVERY_COLUMNS}, dead_letter)`;
}

/** The parameters of {@link keeping}: one array a column. */
export function deliveryArrays(rows: readonly PublishedRow[]): Buffer[] {
  const values = rows.map((row) => deliveryValues(row));
  return [0, 1, 2, 3].map((column) => textArray(values.map((one) => one[column] ?? null)));
}

/** What is kept of where a row went, in the order of the columns. @throws RelayError `internal` when nobody has told */
export function deliveryValues({ delivery }: PublishedRow): (string | null)[] {
  if (delivery === undefined) throw new RelayError('internal', 'the delivery of a published row was not noted');
  const { destination, address, key } = delivery;
  return [destination, ...addressValues(address), key];
}

function addressValues(address: Delivery['address']): [string, string | null] {
  return address.kind === 'topic' ? [address.topic, null] : [address.exchange, address.routingKey];
}

/**
 * Deletes ids that were published longer ago than `retainMs`, oldest first, at most `limit` of them.
 *
 * @returns how many were deleted
 */
export async function expirePublished(
  session: SqlSession,
  table: TableName,
  retainMs: number,
  limit: number,
): Promise<number> {
  const name = quoteTable(companionTables(table).published);
  const [row] = await session.query<{ expired: number }>('deleting old ids of published rows', {
    text: `WITH gone AS (
        DELETE FROM ${name} WHERE ctid = ANY (ARRAY(
          SELECT ctid FROM ${name} WHERE published_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
          ORDER BY published_at LIMIT $2)) RETURNING 1
      ) SELECT count(*)::int AS expired FROM gone`,
    values: [retainMs, limit],
  });
  return row?.expired ?? 0;
}
