import { RelayError } from '../core/errors.ts';
import type { FullXid } from '../core/snapshot.ts';
import type { SqlSession } from './session.ts';

/** Assigns a transaction id in a transaction of its own, and returns it. */
export async function assignXid(session: SqlSession): Promise<FullXid> {
  const [row] = await session.query<{ xid: string }>(
    'assigning a transaction id',
    'SELECT pg_current_xact_id()::text AS xid',
  );
  if (row === undefined) throw new RelayError('internal', 'pg_current_xact_id() returned nothing');
  return BigInt(row.xid);
}
