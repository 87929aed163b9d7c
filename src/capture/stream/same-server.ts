import type pg from 'pg';
import { RelayError } from '../../core/errors.ts';
import type { SqlSession } from '../../postgres/session.ts';

/** Which server a walsender runs on. */
export interface ServerIdentity {
  readonly systemId: string;
  readonly timeline: number;
}

/** Asks a walsender where it runs. */
export async function identifySystem(walsender: pg.Client): Promise<ServerIdentity> {
  const { rows } = await walsender.query<{ systemid: string; timeline: number | string }>('IDENTIFY_SYSTEM');
  return { systemId: rows[0]?.systemid ?? '', timeline: Number(rows[0]?.timeline) };
}

interface Observed {
  readonly active_pid: number | null;
  readonly recovering: boolean;
  readonly system_id: string;
  readonly timeline: string;
}

const REMEDY =
  'Let postgres.url name the primary itself, not a load balancer or pooler that may spread connections over servers.';

/**
 * Makes sure that the walsender and the SQL session are on the same primary: what is read from the table of one server
 * says nothing about the log of another. A failover between the two connections is found so, too.
 *
 * @throws RelayError `replication_indirect` when they are not
 */
export async function assertSameServer(
  session: SqlSession,
  slotName: string,
  walsender: ServerIdentity,
): Promise<void> {
  const [observed] = await session.query<Observed>('comparing the servers of both sessions', {
    text: `SELECT (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1) AS active_pid,
            pg_is_in_recovery() AS recovering,
            (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
            CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END AS timeline`,
    values: [slotName],
  });
  const problem = observed === undefined ? 'no answer' : difference(observed, walsender);
  if (problem === null) return;
  const message = `the replication session and the SQL session are not on the same primary: ${problem}`;
  throw new RelayError('replication_indirect', message, { remedy: REMEDY });
}

function difference(sql: Observed, walsender: ServerIdentity): string | null {
  if (sql.recovering) return 'the SQL session is on a standby';
  if (sql.system_id !== walsender.systemId) return 'their system identifiers differ';
  if (Number.parseInt(sql.timeline, 16) !== walsender.timeline) return 'their timelines differ';
  return sql.active_pid === null ? 'the SQL session does not see the slot' : null;
}
