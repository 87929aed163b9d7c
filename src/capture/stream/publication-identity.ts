import { RelayError } from '../../core/errors.ts';
import type { SqlSession } from '../../postgres/session.ts';

interface Identity {
  readonly identity: string;
}

/**
 * Tells the state of a publication from all others that it has been in: dropped and created again, altered, or with a
 * table taken out and put in again, it is another. Empty when there is none.
 */
export async function publicationIdentity(session: SqlSession, publication: string): Promise<string> {
  // what it covers depends on it in pg_depend, by rows of catalogs that differ from version to version
  const [row] = await session.query<Identity>('identifying the publication', {
    text: `SELECT concat_ws(' ', p.oid, p.xmin, (
              SELECT string_agg(d.objid::text, ' ' ORDER BY d.objid)
                FROM pg_depend d WHERE d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid)) AS identity
       FROM pg_publication p WHERE p.pubname = $1`,
    values: [publication],
  });
  return row?.identity ?? '';
}

/** @throws RelayError `replication_failed` when it is not what it was */
export async function assertUnchanged(session: SqlSession, publication: string, identity: string): Promise<void> {
  if ((await publicationIdentity(session, publication)) === identity) return;
  throw new RelayError('replication_failed', `publication ${publication} was changed: the log may lack rows`, {
    remedy: 'Nothing: the table is read instead, and the stream is opened anew.',
  });
}
