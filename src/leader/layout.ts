import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { layoutText, type ShardLayout } from '../core/sharding.ts';
import { companionTables, quoteTable, type TableName } from '../postgres/identifier.ts';
import { lockKeys } from './lease.ts';

/** How an outbox is to be shared out, and what else changes with that. */
export interface LayoutOptions {
  readonly table: TableName;
  readonly layout: ShardLayout;
  /** How long a leader of another layout may believe that it still leads, in milliseconds: the lease. */
  readonly leaseMs: number;
  /** Called in the transaction that brings the layout into force. */
  readonly changing: (client: pg.Client) => Promise<void>;
}

/** In the place of a shard's number in the key of its leader lock. */
const LAYOUT = -1;

/**
 * Holds on to the layout for as long as the session lasts: nobody can lead by another meanwhile, or two relays could
 * publish the same key, out of order.
 *
 * Who leads, or would, has the layout lock in shared mode, having seen that the layout in force is its own. To bring another
 * one into force takes the lock alone, hence no session of the old one is left; and that no lease was renewed for as long
 * as one lasts, since a leader whose session the server has ended may not know yet. Fresh epochs then fence what it might
 * still write.
 *
 * @returns false while somebody is changing it: to be tried again
 * @throws RelayError `shards_differ` while another layout is in force
 */
export async function holdLayout(client: pg.Client, options: LayoutOptions): Promise<boolean> {
  if (!(await lock(client, options.table, 'pg_try_advisory_lock_shared'))) return false;
  const found = await layoutInForce(client, options.table);
  if (found !== null && isSame(found, options.layout)) return true;
  await lock(client, options.table, 'pg_advisory_unlock_shared');
  if (await lock(client, options.table, 'pg_try_advisory_lock')) {
    const changed = await change(client, options).finally(() => lock(client, options.table, 'pg_advisory_unlock'));
    if (changed) return false;
  }
  if (found === null) return false;
  const wanted = layoutText(options.layout);
  throw new RelayError(
    'shards_differ',
    `${layoutText(found)} are in force, and this instance is to work with ${wanted}`,
  );
}

/** @returns whether the layout is in force now */
async function change(client: pg.Client, { table, layout, leaseMs, changing }: LayoutOptions): Promise<boolean> {
  const lease = quoteTable(companionTables(table).lease);
  await client.query('BEGIN');
  try {
    const { rows } = await client.query<{ quiet: boolean | null }>(
      `SELECT max(renewed_at) < clock_timestamp() - $1 * interval '1 millisecond' AS quiet FROM ${lease}`,
      [leaseMs],
    );
    if (rows[0]?.quiet !== false) {
      await client.query(`UPDATE ${lease} SET shards = $1, shard_by = $2, epoch = epoch + 1`, [
        layout.shards,
        layout.by,
      ]);
      await client.query(
        `INSERT INTO ${lease} (shard, epoch, holder, renewed_at, shards, shard_by) VALUES (0, 0, '', '-infinity', $1, $2)
         ON CONFLICT (shard) DO NOTHING`,
        [layout.shards, layout.by],
      );
      await changing(client);
    }
    await client.query('COMMIT');
    return rows[0]?.quiet !== false;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Null: no relay has led yet. */
async function layoutInForce(client: pg.Client, table: TableName): Promise<ShardLayout | null> {
  const lease = quoteTable(companionTables(table).lease);
  const { rows } = await client.query<{ shards: number; by: string | null }>(
    `SELECT shards, shard_by AS by FROM ${lease} WHERE shard = 0`,
  );
  return rows[0] ?? null;
}

function isSame(one: ShardLayout, other: ShardLayout): boolean {
  return one.shards === other.shards && one.by === other.by;
}

type LockFunction =
  'pg_try_advisory_lock' | 'pg_advisory_unlock' | 'pg_try_advisory_lock_shared' | 'pg_advisory_unlock_shared';

async function lock(client: pg.Client, table: TableName, by: LockFunction): Promise<boolean> {
  const { rows } = await client.query<{ done: boolean }>(`SELECT ${by}(hashtext($1), ${LAYOUT}) AS done`, [
    lockKeys(table).leaders,
  ]);
  return rows[0]?.done === true;
}
