import type { InstanceSample } from '../core/status.ts';
import type { SqlSession } from '../postgres/session.ts';
import { type LeaseKey, lockKeys } from './lease.ts';

const ROLE = 'leader';
/** So much of an application name Postgres keeps. */
const APPLICATION_NAME_LENGTH = 63;

interface InstanceRow {
  readonly application: string | null;
  readonly address: string | null;
  readonly since: Date | null;
  readonly leads: boolean;
}

/** What the session of a candidate is for, with its name, so that others see who it is. */
export function candidateRole(applicationName: string, holder: string): string {
  return `${ROLE} ${instanceName(applicationName, holder)}`;
}

/** How an instance is called where it is seen: printable ASCII, and of a name that is too long the end, which differs. */
export function instanceName(applicationName: string, holder: string): string {
  const room = APPLICATION_NAME_LENGTH - `${applicationName} ${ROLE} `.length;
  return holder.replace(/[^\x20-\x7e]/g, '?').slice(-room);
}

/**
 * Who stands for election: the sessions that hold the leader's lock or that of the candidates.
 *
 * @throws RelayError `postgres_*`
 */
export async function sampleInstances(session: SqlSession, key: LeaseKey): Promise<readonly InstanceSample[]> {
  const { leader, candidates } = lockKeys(key);
  // the two halves of a lock's key are shown as oids: without a sign
  const rows = await session.query<InstanceRow>('looking at the instances', {
    text: `SELECT a.application_name AS application, host(a.client_addr) AS address, a.backend_start AS since,
        bool_or(l.classid::bigint = hashtext($1)::bigint & 4294967295) AS leads
      FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.objid::bigint = $3::bigint
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid::bigint IN (hashtext($1)::bigint & 4294967295, hashtext($2)::bigint & 4294967295)
      GROUP BY a.pid, a.application_name, a.client_addr, a.backend_start
      ORDER BY leads DESC, since, application`,
    values: [leader[0], candidates[0], String(key.shard)],
  });
  return rows.map(({ application, address, since, leads }) => ({
    name: nameOf(application),
    address,
    leads,
    since: since?.toISOString() ?? null,
  }));
}

function nameOf(application: string | null): string | null {
  const marker = ` ${ROLE} `;
  const at = application?.indexOf(marker) ?? -1;
  return application === null || at < 0 ? null : application.slice(at + marker.length);
}
