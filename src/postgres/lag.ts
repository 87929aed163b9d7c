import type { OutboxTable } from '../core/table.ts';
import { columnReference } from './column-text.ts';
import { companionTables, quoteLiteral, quoteTable } from './identifier.ts';
import type { SqlSession } from './session.ts';
import { fromUnpublished, NO_FILTERS, type RowFilters } from './unpublished-rows.ts';

/** How far behind the table is. */
export interface LagSample {
  /** What waits of each destination that was asked for and whose rows were met, by its name. */
  readonly destinations: ReadonlyMap<string, WaitingRows>;
  /** Rows that are not parked: counted up to the limit, beyond it what the statistics of Postgres tell, which is about right. */
  readonly waitingRows: number;
  /** Whether {@link waitingRows} is such an estimate: rows beyond the limit were not looked at. */
  readonly estimated: boolean;
  /** Counted up to the limit. */
  readonly parkedRows: number;
}

/** Rows of one destination, among those that were looked at. */
export interface WaitingRows {
  /** How many they are; rows beyond the limit are not among them. */
  readonly rows: number;
  /** Age of the first of them in order, in seconds by the database's clock; null when the table has no time. */
  readonly oldestAgeSeconds: number | null;
  /** Which one that is: changes when another row takes its place. */
  readonly first: string;
}

/** What is looked at, and how it is told apart. */
export interface LagQuestion {
  /** Whose rows are told apart. @default one that gets all rows, named by the empty text */
  readonly destinations?: readonly string[];
  /** Which rows are whose. */
  readonly filters?: Pick<RowFilters, 'filterSql'>;
  /** How many rows are looked at. @default 5000 */
  readonly limit?: number;
}

/**
 * How many rows are looked at: some 10 ms, and some 3 MB of the server's buffers. A hundred thousand, every few seconds,
 * could be seen in the latency of a destination that streams beside the backlog of another one.
 */
const LIMIT = 5_000;

/** Samples the lag. On a session with `IN_ORDER_SETTINGS` and a short statement timeout. @throws RelayError `postgres_*` */
export async function sampleLag(
  session: SqlSession,
  table: OutboxTable,
  { destinations = [''], filters = NO_FILTERS, limit = LIMIT }: LagQuestion = {},
): Promise<LagSample> {
  const groups = await session.query<{ destination: number; rows: number; first: string; age: number | null }>(
    'sampling the lag',
    firstRows(table, destinations, filters, limit),
  );
  const parked = quoteTable(companionTables(table).parked);
  const [counted] = await session.query<{ live: string; parked: number }>(
    'sampling the lag',
    `SELECT pg_stat_get_live_tuples(${quoteLiteral(quoteTable(table))}::regclass)::text AS live,
       (SELECT count(*)::int FROM (SELECT FROM ${parked} LIMIT ${limit}) parked) AS parked`,
  );
  const looked = groups.reduce((sum, { rows }) => sum + rows, 0);
  const parkedRows = counted?.parked ?? 0;
  const estimated = looked >= limit;
  return {
    destinations: new Map(
      groups.map(({ destination, rows, first, age }) => [
        destinations[destination] ?? '',
        { rows, first, oldestAgeSeconds: age === null || !Number.isFinite(age) ? null : Math.max(0, age) },
      ]),
    ),
    waitingRows: estimated ? Math.max(looked, Number(counted?.live ?? 0) - parkedRows) : looked,
    estimated,
    parkedRows,
  };
}

/** Of the first rows in order that are not parked: how many are whose, and the first of each destination. */
function firstRows(
  table: OutboxTable,
  destinations: readonly string[],
  filters: Pick<RowFilters, 'filterSql'>,
  limit: number,
): string {
  const position = columnReference(table.position);
  const created = table.createdAt === null ? 'NULL' : columnReference(table.createdAt);
  const whens = destinations.map((name, index) => `WHEN ${filters.filterSql(name) ?? 'true'} THEN ${index}`);
  return `WITH looked AS MATERIALIZED (
      SELECT ${position} AS position, ${created}::timestamptz AS created, CASE ${whens.join(' ')} END AS destination
      ${fromUnpublished(table, NO_FILTERS, null)} ORDER BY ${position} LIMIT ${limit}),
    firsts AS (SELECT destination, count(*)::int AS rows, min(position) AS position FROM looked GROUP BY destination)
    SELECT firsts.destination, firsts.rows, concat_ws(' ', position, looked.created) AS first,
      extract(epoch FROM clock_timestamp() - looked.created)::float8 AS age
    FROM firsts JOIN looked USING (position)`;
}
