import type { SqlSession } from './session.ts';

/**
 * Makes the server flush its log up to now, on a session with `synchronous_commit = local`: the commit record of this
 * statement's own transaction comes last, and a commit flushes all before it. About 0.3 ms.
 *
 * It has to be a transactional message: one that is not does not flush, and neither does the commit of a transaction
 * that took an id and wrote nothing. Everybody may call it, and it needs no particular `wal_level`.
 */
export async function flushLog(session: SqlSession): Promise<void> {
  await session.query('flushing the log', `SELECT pg_logical_emit_message(true, '', '')`);
}
