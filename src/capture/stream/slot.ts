/** Temporary replication slots: their names, their creation and their end. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { RelayError } from '../../core/errors.ts';
import { type Lsn, parseLsn } from '../../core/lsn.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';
import { postgresError } from '../../postgres/error.ts';
import type { SqlSession } from '../../postgres/session.ts';

/** Bytes of a slot name that make it unique; twice as many hexadecimal digits. */
const RANDOM_BYTES = 6;
const MAX_NAME_LENGTH = 63;
/** So long a terminated walsender may take to end, in milliseconds. */
const TERMINATION_MS = 5000;

/**
 * A new name: `<prefix>_<shard>_<random>`. Unique for each attempt, so that no attempt can meet what an earlier one
 * left behind, and so that finding it on a server proves that it is the server where it was created.
 *
 * @throws RelayError `config_invalid` when the prefix has other characters than a-z, 0-9 and _ or is too long
 */
export function newSlotName(prefix: string, shard: number): string {
  const name = `${prefix}_${shard}_${randomBytes(RANDOM_BYTES).toString('hex')}`;
  if (/^[a-z0-9_]+$/.test(name) && name.length <= MAX_NAME_LENGTH) return name;
  throw new RelayError('config_invalid', `capture.slotPrefix '${prefix}' cannot begin the name of a replication slot`, {
    remedy: 'Use at most 40 of the characters a-z, 0-9 and _.',
  });
}

/** A regular expression, for Postgres and JavaScript alike, that matches all slots of a prefix and shard, and no others. */
export function slotNamePattern(prefix: string, shard: number): string {
  return `^${prefix}_${shard}_[0-9a-f]{${RANDOM_BYTES * 2}}$`;
}

/**
 * Creates a temporary slot, which Postgres drops when the walsender's connection ends. Waits for the write transactions
 * that are running.
 *
 * @returns its consistent point: what commits from there on is streamed
 */
export async function createSlot(walsender: pg.Client, name: string): Promise<Lsn> {
  // NOEXPORT_SNAPSHOT in the old syntax, which 14 to 18 all accept; 14 knows no other.
  const { rows } = await walsender.query<{ consistent_point: string }>(
    `CREATE_REPLICATION_SLOT ${quoteIdentifier(name)} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`,
  );
  return parseLsn(rows[0]?.consistent_point ?? '');
}

/**
 * Ends the backend of a slot, so that the slot goes: a backend that waits, or that decodes a large transaction, does
 * not notice that its client has closed the connection. Does nothing when there is no such slot.
 */
export async function endSlot(session: SqlSession, name: string): Promise<void> {
  await session.query('ending a replication slot', {
    text: 'SELECT pg_terminate_backend(active_pid, $2) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL',
    values: [name, TERMINATION_MS],
  });
}

/** A slot that an earlier leader left behind. */
export interface Predecessor {
  readonly slotName: string;
  /** Whether it is gone now; else Postgres ends it by itself within the timeouts of its session. */
  readonly ended: boolean;
}

/**
 * Ends what earlier leaders of this shard left on the server: backends of slots that are still active are terminated,
 * with which temporary slots go; others are dropped. To be called by a new leader before its first stream.
 *
 * @throws RelayError `postgres_permission` when the slots belong to another role; they then end by themselves
 */
export async function endPredecessors(sql: pg.Client, prefix: string, shard: number): Promise<readonly Predecessor[]> {
  try {
    const { rows } = await sql.query<{ slot_name: string; active_pid: number | null; ended: boolean }>(
      `SELECT slot_name, active_pid, COALESCE(pg_terminate_backend(active_pid, $2), false) AS ended
         FROM pg_replication_slots
        WHERE slot_name ~ $1 AND database = current_database()`,
      [slotNamePattern(prefix, shard), TERMINATION_MS],
    );
    const predecessors: Predecessor[] = [];
    for (const { slot_name: slotName, active_pid: pid, ended } of rows) {
      predecessors.push({ slotName, ended: pid === null ? await dropInactive(sql, slotName) : ended });
    }
    return predecessors;
  } catch (error) {
    throw postgresError(error, 'ending the replication slots of an earlier leader');
  }
}

async function dropInactive(sql: pg.Client, slotName: string): Promise<boolean> {
  await sql.query(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NULL',
    [slotName],
  );
  return true;
}
