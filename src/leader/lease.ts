import type pg from 'pg';
import type { ShardLayout } from '../core/sharding.ts';
import { companionTables, quoteLiteral, quoteTable, type TableName } from '../postgres/identifier.ts';

/** Which relay may publish: one for each outbox table and shard. */
export interface LeaseKey {
  readonly table: TableName;
  readonly shard: number;
  /** How the table is shared out. */
  readonly layout: ShardLayout;
}

/**
 * Tries to take the leader lock: a session-level advisory lock, which Postgres frees when the session ends, however it
 * ends. Returns whether this session has it now.
 */
export async function tryLock(client: pg.Client, { table, shard }: LeaseKey): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_lock(hashtext($1), $2::int) AS locked`,
    [lockKeys(table).leaders, shard],
  );
  return rows[0]?.locked === true;
}

/**
 * Shows that this session stands for election: a shared lock that nobody waits for, and that goes with the session. Who
 * stands is told by it ({@link sampleInstances}); nothing else depends on it.
 */
export async function announce(client: pg.Client, table: TableName): Promise<void> {
  await client.query('SELECT pg_try_advisory_lock_shared(hashtext($1), 0)', [lockKeys(table).candidates]);
}

/**
 * What the keys of an outbox's advisory locks begin with, as texts to be hashed; a number follows. `leaders`: the shard, or
 * -1 for the layout; `candidates`: 0; `members` and `signatures`: an instance.
 */
export function lockKeys(table: TableName): Record<'leaders' | 'candidates' | 'members' | 'signatures', string> {
  const name = quoteTable(table);
  return {
    leaders: `outbox-relay ${name}`,
    candidates: `outbox-relay candidates ${name}`,
    members: `outbox-relay members ${name}`,
    signatures: `outbox-relay signatures ${name}`,
  };
}

/**
 * Begins a new epoch in the lease table, under the lock: so every term of leadership has a number of its own, and who
 * leads can be seen. Returns the epoch.
 */
export async function beginEpoch(client: pg.Client, key: LeaseKey, holder: string): Promise<bigint> {
  const lease = quoteTable(companionTables(key.table).lease);
  const { rows } = await client.query<{ epoch: string }>(
    `INSERT INTO ${lease} AS l (shard, epoch, holder, renewed_at, shards, shard_by)
     VALUES ($1, 1, $2, clock_timestamp(), $3, $4)
     ON CONFLICT (shard) DO UPDATE SET epoch = l.epoch + 1, holder = excluded.holder, renewed_at = excluded.renewed_at
     RETURNING epoch::text AS epoch`,
    [key.shard, holder, key.layout.shards, key.layout.by],
  );
  return BigInt(rows[0]?.epoch ?? 0);
}

/** Renews the lease. Returns false when another relay has begun a later epoch. */
export async function renew(client: pg.Client, key: LeaseKey, epoch: bigint): Promise<boolean> {
  const lease = quoteTable(companionTables(key.table).lease);
  const { rowCount } = await client.query(
    `UPDATE ${lease} SET renewed_at = clock_timestamp() WHERE shard = $1 AND epoch = ${quoteLiteral(String(epoch))}::bigint`,
    [key.shard],
  );
  return rowCount === 1;
}
