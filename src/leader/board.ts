import { randomInt } from 'node:crypto';
import type pg from 'pg';
import { companionTables, quoteTable, type TableName } from '../postgres/identifier.ts';
import { lockKeys } from './lease.ts';

/**
 * The number by which the instances that share an outbox know each other: drawn at the start. Instances are known by locks
 * and not by rows, for a lock goes with its session: no clock has to say who is still there.
 */
export type InstanceNumber = number;

/** Who is there, and who leads what. */
export interface Board {
  /** Instances that would lead shards, in the order of their numbers. */
  readonly members: readonly InstanceNumber[];
  /** The shards that somebody leads, and who; null: nobody that is known. */
  readonly leaders: ReadonlyMap<number, InstanceNumber | null>;
  /** Who led each shard last, by host name and process id, as the lease table has it. */
  readonly holders: ReadonlyMap<number, string>;
}

/** @returns a number that no other instance is likely to have */
export function drawInstanceNumber(): InstanceNumber {
  return randomInt(2 ** 31 - 1);
}

/** From now on, as long as the session lasts, the instance is a member. */
export async function join(client: pg.Client, table: TableName, instance: InstanceNumber): Promise<void> {
  await client.query('SELECT pg_advisory_lock_shared(hashtext($1), $2::int)', [lockKeys(table).members, instance]);
}

/** The instance is a member no longer. */
export async function leave(client: pg.Client, table: TableName, instance: InstanceNumber): Promise<void> {
  await client.query('SELECT pg_advisory_unlock_shared(hashtext($1), $2::int)', [lockKeys(table).members, instance]);
}

/** Says whose a session is that leads a shard. */
export async function signSession(client: pg.Client, table: TableName, instance: InstanceNumber): Promise<void> {
  await client.query('SELECT pg_advisory_lock_shared(hashtext($1), $2::int)', [lockKeys(table).signatures, instance]);
}

/** Looks at the locks of all sessions of the database. @param shards how many there are */
export async function readBoard(client: pg.Client, table: TableName, shards: number): Promise<Board> {
  const lease = quoteTable(companionTables(table).lease);
  const keys = lockKeys(table);
  const { rows } = await client.query<{
    members: string[];
    leaders: { shard: number; instance: number | null }[];
    holders: { shard: number; holder: string }[];
  }>(
    `WITH held AS MATERIALIZED (
       SELECT classid, objid::bigint AS number, pid FROM pg_locks
       WHERE locktype = 'advisory' AND objsubid = 2 AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
     )
     SELECT ARRAY(SELECT DISTINCT number FROM held WHERE classid = hashtext($1)::oid ORDER BY number) AS members,
       (SELECT coalesce(json_agg(json_build_object('shard', l.number, 'instance', s.number)), '[]')
          FROM held l LEFT JOIN held s ON s.pid = l.pid AND s.classid = hashtext($2)::oid
         WHERE l.classid = hashtext($3)::oid AND l.number < $4) AS leaders,
       (SELECT coalesce(json_agg(json_build_object('shard', shard, 'holder', holder)), '[]')
          FROM ${lease} WHERE shard < $4) AS holders`,
    [keys.members, keys.signatures, keys.leaders, shards],
  );
  const [board] = rows;
  return {
    members: (board?.members ?? []).map(Number),
    leaders: new Map(board?.leaders.map(({ shard, instance }) => [shard, instance])),
    holders: new Map(board?.holders.map(({ shard, holder }) => [shard, holder])),
  };
}
