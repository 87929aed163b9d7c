import type { Config } from '../config/index.ts';
import { ONE_SHARD, type ShardLayout, type TableShard } from '../core/sharding.ts';
import type { OutboxTable } from '../core/table.ts';
import { tableShards } from '../postgres/sharding.ts';

/** How the configured outbox is shared out. */
export function shardLayout({ shards, shardBy, table: { columns } }: Config): ShardLayout {
  if (shardBy === null) return ONE_SHARD;
  const named: Readonly<Record<string, string | null>> = { ...columns, created_at: columns.createdAt };
  return { shards, by: named[shardBy] ?? shardBy };
}

/**
 * The configured shards of the table as it is found; a single null where there is one.
 *
 * @throws RelayError `config_invalid` when its rows cannot be shared out by the column
 */
export function configuredShards(config: Config, table: OutboxTable): readonly (TableShard | null)[] {
  const { schema, name, reads } = table;
  return tableShards(shardLayout(config), { schema, name, columns: reads });
}
