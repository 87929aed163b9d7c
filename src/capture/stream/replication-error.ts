import type { ErrorCode } from '../../core/error-catalogue.ts';
import { RelayError } from '../../core/errors.ts';
import { sqlState } from '../../core/postgres-failure.ts';
import { postgresError } from '../../postgres/error.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';

interface Refusal {
  readonly code: ErrorCode;
  readonly remedy: (user: string) => string;
}

const DENIED: Refusal = {
  code: 'replication_denied',
  remedy: (user) => `Let ${user} in for replication: examine the lines of pg_hba.conf for this database.`,
};
const INDIRECT: Refusal = {
  code: 'replication_indirect',
  remedy: () => 'Connect to the server itself: replication does not pass a connection pooler (postgres.url).',
};

/** What has to change on the server, by SQLSTATE, before replication is to be had. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  // feature_not_supported
  '0A000': {
    code: 'replication_unavailable',
    remedy: () => 'This server offers no logical replication; set capture.mode: polling.',
  },
  // protocol_violation: a pooler that does not know the startup parameter `replication`
  '08P01': INDIRECT,
  // syntax_error: a pooler that ignored it, so that the commands of a walsender reach an ordinary session
  '42601': INDIRECT,
  // invalid_authorization_specification, invalid_password
  '28000': DENIED,
  '28P01': DENIED,
  // insufficient_privilege
  '42501': {
    code: 'replication_denied',
    remedy: (user) =>
      `ALTER ROLE ${quoteIdentifier(user)} REPLICATION; (managed services have a role to grant instead)`,
  },
  // undefined_object: dropped in mid-stream, which 18 does not tell
  '42704': {
    code: 'replication_publication',
    remedy: () => '`outbox-relay check` prints the statement that creates the publication.',
  },
  // too_many_connections
  '53300': {
    code: 'replication_exhausted',
    remedy: () =>
      "ALTER SYSTEM SET max_wal_senders = '20'; (and max_connections where those are used up) then restart Postgres. SELECT * FROM pg_stat_replication; shows who has them.",
  },
  // configuration_limit_exceeded
  '53400': {
    code: 'replication_exhausted',
    remedy: () =>
      "ALTER SYSTEM SET max_replication_slots = '20'; then restart Postgres; or drop slots that nobody uses: SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active.",
  },
  // object_not_in_prerequisite_state
  '55000': {
    code: 'replication_wal_level',
    remedy: () =>
      "ALTER SYSTEM SET wal_level = 'logical'; then restart Postgres (max_replication_slots must not be 0).",
  },
};

/** lock_not_available, query_canceled: what the creation of a slot ends by when it has waited too long. */
const WAITED_TOO_LONG = new Set(['55P03', '57014']);

/** The walsender's session came to another server than that of the SQL sessions. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set(['postgres_other_primary', 'postgres_stale_primary']);

/** What keeps the creation of a slot waiting, and how to find it. */
export const LONG_TRANSACTIONS_REMEDY =
  'A slot waits for the write transactions that are running. Find them: SELECT pid, xact_start, state, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start; and prepared ones: SELECT gid, prepared FROM pg_prepared_xacts.';

/** Whether the creation of a slot was given up by the server for having waited too long. */
export function waitedTooLong(error: unknown): boolean {
  return WAITED_TOO_LONG.has(sqlState(error) ?? '');
}

/** Whether somebody ended the walsender (admin_shutdown): an administrator, a shutdown, or the server for its slot. */
export function endedByServer(error: unknown): boolean {
  return sqlState(error) === '57P01';
}

/**
 * Tells whether replication is not to be had before somebody changes something (an error of class `configuration`, with
 * what to change), or has only failed this time (`replication_failed`).
 *
 * @param doing what failed, in the form 'creating a replication slot'; begins the message
 * @param user the relay's role
 */
export function replicationError(error: unknown, doing: string, user: string): RelayError {
  if (error instanceof RelayError && !error.code.startsWith('postgres_')) return error;
  if (error instanceof RelayError && ELSEWHERE.has(error.code)) {
    return new RelayError('replication_indirect', `${doing}: ${error.message}`, { cause: error });
  }
  const { message } = postgresError(error, doing);
  const refusal = REFUSALS[sqlState(error) ?? ''];
  if (refusal !== undefined) {
    return new RelayError(refusal.code, message, { cause: error, remedy: refusal.remedy(user) });
  }
  return new RelayError('replication_failed', message, {
    cause: error,
    ...(waitedTooLong(error) ? { remedy: LONG_TRANSACTIONS_REMEDY } : {}),
  });
}
