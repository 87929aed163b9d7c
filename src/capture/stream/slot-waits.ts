import { blockerText } from '../../core/blocker.ts';
import { RelayError } from '../../core/errors.ts';
import type { BlockingTransaction } from '../../core/status.ts';
import { quoteLiteral } from '../../postgres/identifier.ts';
import type { SqlSession } from '../../postgres/session.ts';

interface BlockerRow {
  readonly xid: string;
  readonly waited: number | null;
  readonly pid: number | null;
  readonly gid: string | null;
  readonly application_name: string | null;
  readonly role: string | null;
  readonly database: string | null;
  readonly age: number | null;
}

/**
 * Finds the transactions that the creation of slots waits for: by the lock that the walsender asks for, which every role
 * may see. Lives longer than one attempt, since a transaction that goes on for hours is waited for by many of them, and
 * its age cannot be asked for without `pg_read_all_stats`.
 */
export class SlotWaits {
  readonly #now: () => number;
  #seen: { readonly xid: string; readonly at: number } | null = null;

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** What the creation of a slot waits for at this moment; null when for nothing. @throws RelayError `postgres_*` */
  async find(session: SqlSession, slotName: string): Promise<BlockingTransaction | null> {
    const [row] = await session.query<BlockerRow>('looking for what a slot waits for', {
      text: `SELECT w.transactionid::text AS xid,
            extract(epoch FROM clock_timestamp() - w.waitstart)::float8 AS waited,
            h.pid,
            p.gid,
            a.application_name,
            COALESCE(p.owner, a.usename)::text AS role,
            COALESCE(p.database, a.datname)::text AS database,
            extract(epoch FROM clock_timestamp() - COALESCE(p.prepared, a.xact_start))::float8 AS age
       FROM pg_replication_slots s
       JOIN pg_locks w ON w.pid = s.active_pid AND w.locktype = 'transactionid' AND NOT w.granted
       LEFT JOIN pg_locks h
         ON h.locktype = 'transactionid' AND h.transactionid = w.transactionid AND h.granted AND h.mode = 'ExclusiveLock'
       LEFT JOIN pg_stat_activity a ON a.pid = h.pid
       LEFT JOIN pg_prepared_xacts p ON p.transaction = w.transactionid
      WHERE s.slot_name = $1`,
      values: [slotName],
    });
    return row === undefined ? null : this.#describe(row);
  }

  #describe({ xid, waited, pid, gid, role, database, age, application_name }: BlockerRow): BlockingTransaction {
    const now = this.#now();
    if (this.#seen?.xid !== xid) this.#seen = { xid, at: now - (waited ?? 0) * 1000 };
    return {
      xid,
      pid,
      gid,
      applicationName: application_name,
      role,
      database,
      ageSeconds: Math.max(0, age ?? (now - this.#seen.at) / 1000),
      ageIsLowerBound: age === null,
    };
  }
}

/** What the operator is told of a slot that waited in vain, in words and with the statement that ends the waiting. */
export function slotWaitsError(blocker: BlockingTransaction): RelayError {
  const message = `the creation of a replication slot waits for ${blockerText(blocker)}`;
  return new RelayError('replication_slot_waits', message, { remedy: remedyOf(blocker) });
}

function remedyOf({ pid, gid, database }: BlockingTransaction): string {
  if (gid !== null) {
    const name = quoteLiteral(gid);
    return `In database ${database ?? '?'}: COMMIT PREPARED ${name}; or ROLLBACK PREPARED ${name}; as its coordinator has decided.`;
  }
  return pid === null
    ? 'Nothing: it has ended meanwhile.'
    : `Let it come to its end, or end it: SELECT pg_terminate_backend(${pid});`;
}
