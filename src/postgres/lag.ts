import { RelayError } from '../core/errors.ts';
import type { OutboxTable } from '../core/table.ts';
import { columnReference } from './column-text.ts';
import { companionTables, quoteTable } from './identifier.ts';
import type { SqlSession } from './session.ts';
import { fromUnpublished, NO_FILTERS } from './unpublished-rows.ts';

/** How far behind the table is. */
export interface LagSample {
  /** Age of the first row in order that is not parked, in seconds by the database's clock; null when there is none, or the table has no time. */
  readonly oldestAgeSeconds: number | null;
  /** Rows that are not parked, counted up to the limit. */
  readonly waitingRows: number;
  readonly parkedRows: number;
  /** Whether one of the counts stopped at the limit: there are at least that many. */
  readonly capped: boolean;
}

/** How many rows are counted at most: some tens of milliseconds. */
const COUNT_LIMIT = 100_000;

/**
 * Samples the lag. On a session with `IN_ORDER_SETTINGS` and a short statement timeout.
 *
 * @param limit how far rows are counted. @default 100000
 */
export async function sampleLag(session: SqlSession, table: OutboxTable, limit = COUNT_LIMIT): Promise<LagSample> {
  const unpublished = fromUnpublished(table, NO_FILTERS, null);
  const inOrder = `ORDER BY ${columnReference(table.position)}`;
  const age =
    table.createdAt === null
      ? 'NULL::float8'
      : `(SELECT extract(epoch FROM clock_timestamp() - ${columnReference(table.createdAt)}::timestamptz)::float8` +
        ` ${unpublished} ${inOrder} LIMIT 1)`;
  const parked = quoteTable(companionTables(table).parked);
  const [row] = await session.query<{ age: number | null; waiting: number; parked: number }>(
    'sampling the lag',
    `SELECT ${age} AS age,
       (SELECT count(*)::int FROM (SELECT ${unpublished} ${inOrder} LIMIT ${limit}) waiting) AS waiting,
       (SELECT count(*)::int FROM (SELECT FROM ${parked} LIMIT ${limit}) parked) AS parked`,
  );
  if (row === undefined) throw new RelayError('internal', 'the lag query returned nothing');
  return {
    oldestAgeSeconds: row.age === null || !Number.isFinite(row.age) ? null : Math.max(0, row.age),
    waitingRows: row.waiting,
    parkedRows: row.parked,
    capped: row.waiting >= limit || row.parked >= limit,
  };
}
