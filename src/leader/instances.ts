import type { InstanceSample } from '../core/status.ts';
import type { SqlSession } from '../postgres/session.ts';
import type { TableName } from '../postgres/identifier.ts';
import { lockKeys } from './lease.ts';

const ROLE = 'leader';
/** So much of an application name Postgres keeps. */
const APPLICATION_NAME_LENGTH = 63;
/** Above what any shard has for a number, and below -1 as Postgres shows it: without a sign. */
const MAX_SHARDS = 1024;

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
 * Who stands for election: an instance stands by one session, and may lead by others of the same name, one a shard.
 *
 * @throws RelayError `postgres_*`
 */
export async function sampleInstances(session: SqlSession, table: TableName): Promise<readonly InstanceSample[]> {
  const { leaders, candidates } = lockKeys(table);
  const rows = await session.query<InstanceRow>('looking at the instances', {
    text: `WITH held AS (
        SELECT l.classid, a.* FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.objid::bigint < ${MAX_SHARDS}
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      )
      SELECT c.application_name AS application, host(c.client_addr) AS address, c.backend_start AS since,
        EXISTS (SELECT FROM held l WHERE l.classid = hashtext($1)::oid
                   AND (l.pid = c.pid OR l.application_name = c.application_name)) AS leads
      FROM held c WHERE c.classid = hashtext($2)::oid
      ORDER BY leads DESC, since, application`,
    values: [leaders, candidates],
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
