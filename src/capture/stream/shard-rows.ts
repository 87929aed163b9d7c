import { RelayError } from '../../core/errors.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { TableShard } from '../../core/sharding.ts';
import type { OutboxTable } from '../../core/table.ts';
import { shardOf } from '../../postgres/shard-filter.ts';

/**
 * Tells the rows of a shard from others, where the publication does not: on Postgres 14.
 *
 * @throws RelayError `internal` when the shard column is not among those read
 */
export function rowsOf({ shard, shards, column }: TableShard, table: OutboxTable): (row: OutboxRow) => boolean {
  const at = table.reads.findIndex(({ name }) => name === column.name);
  if (at < 0) throw new RelayError('internal', `the shard column ${column.name} is not among those read`);
  return ({ values }) => shardOf(values[at]?.toString() ?? null, column, shards) === shard;
}
