import type pg from 'pg';
import { RelayError } from '../../core/errors.ts';
import { type Lsn, parseLsn } from '../../core/lsn.ts';
import { parseSnapshot, type Snapshot } from '../../core/snapshot.ts';
import type { OutboxTable } from '../../core/table.ts';
import { companionTables, quoteTable } from '../../postgres/identifier.ts';

/** What is known once the transaction of a pass stands. */
export interface BegunPass {
  readonly snapshot: Snapshot;
  readonly insertLsn: Lsn;
  /** How far the log had been flushed at that moment. */
  readonly flushLsn: Lsn;
}

/** The columns of either of the two answers. */
interface Answer extends pg.QueryResultRow {
  readonly snapshot?: string;
  readonly insert_lsn?: string;
  readonly flush_lsn?: string;
}

/**
 * Begins the transaction of a pass, in one round trip. The order is the point:
 *
 * 1. REPEATABLE READ: all rows come from one snapshot. Rows of a later one could overtake, within a key, those that
 *    this pass still has to read.
 * 2. LOCK before anything that takes the snapshot (BEGIN, SET and LOCK do not): a snapshot older than a rewriting ALTER
 *    TABLE or a TRUNCATE would see an empty table, and the rows it pretends to have seen would then be skipped in the
 *    stream. The lock keeps both away until the pass has ended.
 * 3. S, and that is the snapshot of everything that follows.
 * 4. P in a statement after S: read before it, a transaction that S sees could commit above P, and be published twice.
 *    The insert position, since what a snapshot sees need be neither flushed nor even written.
 */
export async function beginPass(client: pg.Client, table: OutboxTable, lockTimeoutMs: number): Promise<BegunPass> {
  const tables = [table, companionTables(table).parked].map(quoteTable).join(', ');
  const results: unknown = await client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
     SET LOCAL lock_timeout = ${lockTimeoutMs};
     LOCK TABLE ${tables} IN ACCESS SHARE MODE;
     SELECT pg_current_snapshot()::text AS snapshot;
     SELECT pg_current_wal_insert_lsn()::text AS insert_lsn, pg_current_wal_flush_lsn()::text AS flush_lsn`,
  );
  // `pg` gives one result a statement where there are several; its types know of one only.
  const [snapshot, positions] = (results as readonly pg.QueryResult<Answer>[]).slice(-2);
  const { insert_lsn: insertLsn, flush_lsn: flushLsn } = positions?.rows[0] ?? {};
  const text = snapshot?.rows[0]?.snapshot;
  if (text === undefined || insertLsn === undefined || flushLsn === undefined)
    throw new RelayError('internal', 'beginning a pass returned no snapshot or position');
  return { snapshot: parseSnapshot(text), insertLsn: parseLsn(insertLsn), flushLsn: parseLsn(flushLsn) };
}
