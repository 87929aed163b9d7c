/** What fills the log of a server of a test's own, and what keeps it from being recycled. */
import type pg from 'pg';
import { connectAdmin } from './outbox.ts';
import type { StartedPostgres } from './services/postgres.ts';

/** The size of a segment, by default of `initdb`. */
export const SEGMENT_BYTES = 16 * 2 ** 20;

/** Moves the log on by so many segments, cheaply. */
export async function advanceLog(server: StartedPostgres, segments: number): Promise<void> {
  await server.query(`DO $$ BEGIN FOR n IN 1..${segments} LOOP
    PERFORM pg_logical_emit_message(false, 'filler', 'x'); PERFORM pg_switch_wal();
  END LOOP; END $$`);
}

/** How much log the slots whose names begin like this make a server keep, in bytes; 0 when there is none. */
export async function retainedLog(server: StartedPostgres, slotPrefix: string): Promise<number> {
  const rows = await server.query<{ bytes: number }>(
    `SELECT COALESCE(max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)), 0)::float8 AS bytes
       FROM pg_replication_slots WHERE starts_with(slot_name, $1)`,
    [slotPrefix],
  );
  return rows[0]!.bytes;
}

/**
 * A transaction that stays open until its session ends or decides. It has written: one that only has a transaction id is
 * waited for by the creation of a slot, but holds none back that streams.
 */
export async function openTransaction(url: string): Promise<pg.Client> {
  const client = await connectAdmin(url);
  await client.query(`SET application_name = 'nightly report'; BEGIN; CREATE TEMPORARY TABLE report ()`);
  return client;
}
