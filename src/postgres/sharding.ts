import { RelayError } from '../core/errors.ts';
import type { ShardLayout, TableShard } from '../core/sharding.ts';
import type { TableColumn } from '../core/table.ts';
import type { TableName } from './identifier.ts';
import { assertShardable } from './shard-filter.ts';

/** A table with those of its columns that matter. */
interface ShardedTable extends TableName {
  readonly columns: readonly TableColumn[];
}

/**
 * The shards of an outbox table; a single null, for the table as a whole, where there is one.
 *
 * @param table null: yet to be made by `init`, whose columns that rows can be shared out by are of type text
 * @throws RelayError `postgres_schema` when the table has no such column, `config_invalid` when its type will not do
 */
export function tableShards(
  { shards, by }: ShardLayout,
  table: ShardedTable | null,
): readonly [TableShard | null, ...(TableShard | null)[]] {
  if (shards === 1 || by === null) return [null];
  const column = table === null ? { name: by, type: 'text' } : columnOf(table, by);
  assertShardable(column);
  const shard = (index: number): TableShard => ({ shard: index, shards, column });
  return [shard(0), ...Array.from({ length: shards - 1 }, (_, index) => shard(index + 1))];
}

function columnOf({ schema, name, columns }: ShardedTable, by: string): TableColumn {
  const column = columns.find((candidate) => candidate.name === by);
  if (column !== undefined) return column;
  throw new RelayError('postgres_schema', `${schema}.${name}: there is no column ${by} to share rows out by`);
}
