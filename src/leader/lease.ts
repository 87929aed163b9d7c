import type pg from 'pg';
import { companionTables, quoteLiteral, quoteTable, type TableName } from '../postgres/identifier.ts';

/** Which relay may publish: one for each outbox table and shard. */
export interface LeaseKey {
  readonly table: TableName;
  readonly shard: number;
}

/**
 * Tries to take the leader lock: a session-level advisory lock, which Postgres frees when the session ends, however it
 * ends. Returns whether this session has it now.
 */
export async function tryLock(client: pg.Client, key: LeaseKey): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_lock(hashtext($1), $2::int) AS locked`,
    lockKeys(key).leader,
  );
  return rows[0]?.locked === true;
}

/**
 * Shows that this session stands for election: a shared lock that nobody waits for, and that goes with the session. Who
 * stands is told by it ({@link sampleInstances}); nothing else depends on it.
 */
export async function announce(client: pg.Client, key: LeaseKey): Promise<void> {
  await client.query('SELECT pg_try_advisory_lock_shared(hashtext($1), $2::int)', lockKeys(key).candidates);
}

/** The two advisory locks of an outbox: of the leader, and of all who would lead. */
export function lockKeys({ table, shard }: LeaseKey): Record<'leader' | 'candidates', [name: string, shard: number]> {
  const name = quoteTable(table);
  return { leader: [`outbox-relay ${name}`, shard], candidates: [`outbox-relay candidates ${name}`, shard] };
}

/**
 * Begins a new epoch in the lease table, under the lock: so every term of leadership has a number of its own, and who
 * leads can be seen. Returns the epoch.
 */
export async function beginEpoch(client: pg.Client, key: LeaseKey, holder: string): Promise<bigint> {
  const lease = quoteTable(companionTables(key.table).lease);
  const { rows } = await client.query<{ epoch: string }>(
    `INSERT INTO ${lease} AS l (shard, epoch, holder, renewed_at) VALUES ($1, 1, $2, clock_timestamp())
     ON CONFLICT (shard) DO UPDATE SET epoch = l.epoch + 1, holder = excluded.holder, renewed_at = excluded.renewed_at
     RETURNING epoch::text AS epoch`,
    [key.shard, holder],
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
