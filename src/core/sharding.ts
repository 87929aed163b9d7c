import type { TableColumn } from './table.ts';

/** How an outbox is shared out: the same in every relay that publishes from it. */
export interface ShardLayout {
  /** How many shards there are; 1: the outbox is not shared out. */
  readonly shards: number;
  /** The column whose value tells a row's shard, by its own name; null where there is one shard. */
  readonly by: string | null;
}

/** One of the shards of an outbox table. */
export interface TableShard {
  /** From 0 to `shards - 1`. */
  readonly shard: number;
  readonly shards: number;
  /** The column whose value tells a row's shard. */
  readonly column: TableColumn;
}

/** An outbox that is not shared out. */
export const ONE_SHARD: ShardLayout = { shards: 1, by: null };

const HASHES = 2 ** 32;

/**
 * The lowest of the 2^32 hashes that belong to a shard: each shard has an interval of them, as equal as can be. The
 * boundary behind the last shard is 2^32.
 */
export function firstHashOf(shard: number, shards: number): number {
  return Math.ceil((shard * HASHES) / shards);
}

/** The shard that has a hash: the one `s` with `firstHashOf(s) <= hash < firstHashOf(s + 1)`. */
export function shardOfHash(hash: number, shards: number): number {
  return Math.floor((hash * shards) / HASHES);
}

/** `4 shards by aggregateid`. */
export function layoutText({ shards, by }: ShardLayout): string {
  return shards === 1 ? '1 shard' : `${shards} shards by ${by ?? ''}`;
}
