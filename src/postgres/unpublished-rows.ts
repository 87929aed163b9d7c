import { RelayError } from '../core/errors.ts';
import type { TableShard } from '../core/sharding.ts';
import type { OutboxTable } from '../core/table.ts';
import { columnReference, textExpression } from './column-text.ts';
import { companionTables, quoteLiteral, quoteTable } from './identifier.ts';
import { shardCondition } from './shard-filter.ts';

/** What of the routing can be said in SQL, so that rows which are not wanted are not even sent. */
export interface RowFilters {
  /**
   * A boolean SQL expression over the alias `o` of the outbox table that is true for the rows which the routes give to
   * the destination; null when it cannot be said in SQL, then all rows are read.
   */
  filterSql(destination: string): string | null;
  /**
   * The one column, by its name in {@link OutboxTable.layout}, whose text is the message key of all rows of the
   * destination; null when there is none such, then the rows behind a parked one are read too.
   */
  keyColumn(destination: string): string | null;
}

/**
 * Settings of a session that reads in order of position: they leave the planner only plans which walk the index on position: rows then come at once, in
 * order, and a query that is cut short has cost what it read. Statistics of a table that fills and empties all day are
 * always wrong, and a sort of a backlog would read all of it before the first row.
 */
export const IN_ORDER_SETTINGS: Readonly<Record<string, string>> = {
  enable_sort: 'off',
  enable_incremental_sort: 'off',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  // Marks of parked rows are left out by a merge join of two index scans, which keeps the order.
  enable_hashjoin: 'off',
  enable_nestloop: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  // For the hash table of parked keys; without one each row would be compared with all of them.
  work_mem: '64MB',
};

/**
 * `FROM .. WHERE ..` of the rows that are to be published: the destination's, not parked, and not behind a parked row
 * of the same key.
 *
 * The marks are left out by a join, so that the planner can walk both tables in order of position, however many there
 * are; keys by `NOT IN`, which keeps the order of the scan and is hashed once (it is not null on either side).
 *
 * @param destination null: of all destinations, leaving out parked rows only
 */
export function fromUnpublished(table: OutboxTable, filters: RowFilters, destination: string | null): string {
  const parked = quoteTable(companionTables(table).parked);
  const conditions = [
    `NOT EXISTS (SELECT FROM ${parked} p WHERE p.position = ${columnReference(table.position)}` +
      ` AND p.id = ${textExpression(table.id)})`,
  ];
  if (destination !== null) {
    const filter = filters.filterSql(destination);
    if (filter !== null) conditions.push(`(${filter}) IS TRUE`);
    const keyColumn = filters.keyColumn(destination);
    if (keyColumn !== null) conditions.push(notParkedKey(table, parked, destination, keyColumn));
  }
  return `FROM ${quoteTable(table)} o WHERE ${conditions.join(' AND ')}`;
}

/** The same for the rows of one shard only; null: of all. */
export function ofShard(filters: RowFilters, shard: TableShard | null): RowFilters {
  if (shard === null) return filters;
  const condition = shardCondition(shard);
  return {
    filterSql: (destination) => {
      const filter = filters.filterSql(destination);
      return filter === null ? condition : `${condition} AND (${filter})`;
    },
    keyColumn: (destination) => filters.keyColumn(destination),
  };
}

/** Of no destination in particular. */
export const NO_FILTERS: RowFilters = { filterSql: () => null, keyColumn: () => null };

function notParkedKey(table: OutboxTable, parked: string, destination: string, keyColumn: string): string {
  const column = table.reads[table.layout.indexOf(keyColumn)];
  if (column === undefined) throw new RelayError('internal', `the key column ${keyColumn} is not among those read`);
  const keys = `SELECT p.key FROM ${parked} p WHERE p.destination = ${quoteLiteral(destination)} AND p.key IS NOT NULL`;
  return `(num_nulls(${columnReference(column)}) > 0 OR ${textExpression(column)} NOT IN (${keys}))`;
}
