import type pg from 'pg';
import type { TableShard } from '../core/sharding.ts';
import type { OutboxTable } from '../core/table.ts';
import { columnReference, textExpression } from './column-text.ts';
import { companionTables, quoteTable } from './identifier.ts';
import { shardCondition } from './shard-filter.ts';

/**
 * Gives all marks of parked rows to the shards that the rows belong to: for the transaction in which the number of shards
 * changes. A mark whose row is gone comes to the first.
 *
 * @param shards all there are; null: the table as a whole
 */
export async function rehomeMarks(
  client: pg.Client,
  table: OutboxTable,
  shards: readonly (TableShard | null)[],
): Promise<void> {
  const parked = quoteTable(companionTables(table).parked);
  const isMarked = `${columnReference(table.position)} = p.position AND ${textExpression(table.id)} = p.id`;
  const cases = shards.map((shard) => (shard === null ? '' : `WHEN ${shardCondition(shard)} THEN ${shard.shard}`));
  const home = shards.length === 1 ? '0' : `CASE ${cases.join(' ')} END`;
  await client.query(
    `UPDATE ${parked} p SET shard = coalesce((SELECT ${home} FROM ${quoteTable(table)} o WHERE ${isMarked}), 0)`,
  );
}
