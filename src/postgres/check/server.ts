import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { describeError, RelayError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import { query } from '../catalog.ts';
import { closeConnection, connectReplication, connectSql, type PostgresOptions } from '../connection.ts';
import { quoteIdentifier } from '../identifier.ts';
import { type CheckContext, type CheckSubject, failed, hindersReplication, ok, warned } from './result.ts';

const OLDEST = 140000;

/** The version, and that the server is a writable primary: nothing else can be examined before. */
export async function checkServer(client: pg.Client): Promise<{ findings: Finding[]; version: number }> {
  const [row] = await query<{ version: number; text: string; recovering: boolean; read_only: string }>(
    client,
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS text,
            pg_is_in_recovery() AS recovering, current_setting('transaction_read_only') AS read_only`,
  );
  if (row === undefined) throw new RelayError('postgres_query_failed', 'the server did not tell its version');
  const version =
    row.version >= OLDEST
      ? ok('version', `PostgreSQL ${row.text}`)
      : failed('version', `PostgreSQL ${row.text} is too old`, 'Upgrade to PostgreSQL 14 or later.');
  const why = row.recovering ? 'is a standby (in recovery)' : row.read_only === 'off' ? null : 'is read-only';
  const primary =
    why === null
      ? ok('primary', 'the server is a writable primary')
      : failed('primary', `the server ${why}`, 'Point postgres.url at the primary, or name all servers in it.');
  return { findings: [version, primary], version: row.version };
}

/** What logical replication needs of the server's settings, and what may take a slot away. */
export async function checkReplicationSettings(subject: CheckSubject): Promise<Finding[]> {
  const [row] = await query<{
    wal_level: string;
    slots: number;
    max_slots: number;
    senders: number;
    max_senders: number;
    keep_size: string;
    keep_mib: number;
    idle_timeout: string | null;
    sync_names: string;
  }>(
    subject.client,
    // pg_stat_replication shows every walsender to every role, unlike pg_stat_activity.
    `SELECT current_setting('wal_level') AS wal_level,
            (SELECT count(*)::int FROM pg_replication_slots) AS slots,
            current_setting('max_replication_slots')::int AS max_slots,
            (SELECT count(*)::int FROM pg_stat_replication) AS senders,
            current_setting('max_wal_senders')::int AS max_senders,
            current_setting('max_slot_wal_keep_size') AS keep_size,
            (SELECT setting::int FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep_mib,
            current_setting('idle_replication_slot_timeout', true) AS idle_timeout,
            current_setting('synchronous_standby_names') AS sync_names`,
  );
  if (row === undefined) throw new RelayError('postgres_query_failed', 'the server did not tell its settings');
  const level =
    row.wal_level === 'logical'
      ? ok('wal_level', 'wal_level is logical')
      : hindersReplication(
          subject,
          'wal_level',
          `wal_level is ${row.wal_level}, and must be logical`,
          `ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server`,
        );
  return [
    level,
    capacity(subject, 'replication_slots', row.slots, row.max_slots, 'max_replication_slots'),
    capacity(subject, 'walsenders', row.senders, row.max_senders, 'max_wal_senders'),
    ...(row.sync_names.includes('*') ? [anyStandby(row.sync_names)] : []),
    slotLimit(subject, row.keep_size, row.keep_mib),
    ...(row.idle_timeout === null
      ? []
      : [
          ok(
            'idle_replication_slot_timeout',
            `idle_replication_slot_timeout is ${row.idle_timeout}: the relay's slot is never idle, since it exists only while it streams`,
          ),
        ]),
  ];
}

/** A walsender of logical replication counts, too, and confirms what it has received. */
function anyStandby(names: string): Finding {
  return warned(
    'synchronous_standby_names',
    `synchronous_standby_names is '${names}': the relay's stream may be taken for a standby, and commits be confirmed by it alone`,
    "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (standby1, standby2)'; with the names of your standbys; then SELECT pg_reload_conf()",
  );
}

/** What a slot may hold back: by the server's limit the relay loses it, by its own it lets go of it in time. */
function slotLimit({ walBudgetBytes }: CheckContext, shown: string, limitMib: number): Finding {
  const name = 'max_slot_wal_keep_size';
  if (limitMib < 0)
    return ok(name, `${name} is ${shown}: the server does not limit what a slot holds back; capture.walBudget does`);
  const budgetMib = Math.ceil(walBudgetBytes / 2 ** 20);
  if (limitMib > budgetMib)
    return ok(
      name,
      `${name} is ${shown}, above capture.walBudget: the relay closes its stream before the slot is lost`,
    );
  return warned(
    name,
    `${name} is ${shown}, and capture.walBudget not below it (${budgetMib}MB): the server takes the slot away before the relay closes its stream`,
    // with some distance, since the relay looks from time to time
    `ALTER SYSTEM SET ${name} = '${2 * budgetMib}MB'; then SELECT pg_reload_conf(); or a capture.walBudget well below ${shown}`,
  );
}

function capacity(context: CheckContext, subject: string, used: number, limit: number, setting: string): Finding {
  const message = `${used} of ${limit} (${setting}) are in use`;
  if (used < limit) return ok(subject, message);
  const remedy = `ALTER SYSTEM SET ${setting} = ${limit + 4}; -- then restart the server; or drop replication slots that nobody uses`;
  return hindersReplication(context, subject, `${message}, none is free`, remedy);
}

/**
 * That the connection ends at the server itself. Two signs tell a pooler, each of them without guessing its kind:
 *
 * - a setting sent in the startup packet does not arrive (a pooler that shares server sessions cannot keep it; pgbouncer
 *   refuses such a connection, or drops the settings when `ignore_startup_parameters` tells it to);
 * - the cancel key that was handed out names another process than the one that answers.
 *
 * A proxy that passes bytes through (HAProxy, the Cloud SQL proxy) shows neither, and does no harm.
 */
export async function checkDirect(context: CheckContext): Promise<Finding[]> {
  if (context.connection === null) return [];
  const token = randomUUID();
  const remedy =
    "Point postgres.url at the server's own port and host, past the pooler: sessions carry locks, settings and replication.";
  let client: pg.Client;
  try {
    client = await connectSql(context.connection, 'check', { 'outbox_relay.check': token });
  } catch (error) {
    return [failed('direct_connection', describeError(error), error instanceof RelayError ? error.remedy : remedy)];
  }
  try {
    const [row] = await query<{ pid: number; token: string | null }>(
      client,
      `SELECT pg_backend_pid() AS pid, current_setting('outbox_relay.check', true) AS token`,
    );
    if (row?.token !== token)
      return [
        failed('direct_connection', 'settings of the connection do not reach the server: a pooler is between', remedy),
      ];
    const handedOut = (client as pg.Client & { processID: number | null }).processID;
    if (handedOut !== row.pid)
      return [
        failed(
          'direct_connection',
          'another server process answers than the connection was given: a pooler is between',
          remedy,
        ),
      ];
    return [ok('direct_connection', 'the connection ends at the server itself')];
  } finally {
    await closeConnection(client);
  }
}

/** Whether the role may replicate: by attribute, by membership on managed services, and by trying it. */
export async function checkReplicationRole(subject: CheckSubject): Promise<Finding[]> {
  const [row] = await query<{ may: boolean; granted_by: string | null }>(
    subject.client,
    // Managed services that keep superusers to themselves give the attribute out as a role.
    `SELECT r.rolreplication OR r.rolsuper AS may,
            (SELECT g.rolname FROM pg_roles g WHERE g.rolname IN ('rds_replication')
               AND pg_has_role(r.oid, g.oid, 'MEMBER') LIMIT 1) AS granted_by
     FROM pg_roles r WHERE r.rolname = $1`,
    [subject.role],
  );
  const name = quoteIdentifier(subject.role);
  if (row?.may !== true && typeof row?.granted_by !== 'string') {
    const remedy = `ALTER ROLE ${name} REPLICATION; -- on Amazon RDS: GRANT rds_replication TO ${name};`;
    return [hindersReplication(subject, 'replication_role', `${subject.role} lacks the attribute REPLICATION`, remedy)];
  }
  const by = row.granted_by === null ? 'attribute REPLICATION' : `member of ${row.granted_by}`;
  const held = ok('replication_role', `${subject.role} may replicate (${by})`);
  return subject.connection === null ? [held] : [held, await tryWalsender(subject, subject.connection)];
}

async function tryWalsender(subject: CheckSubject, options: PostgresOptions): Promise<Finding> {
  const name = 'replication_connection';
  try {
    const walsender = await connectReplication(options, 'check');
    try {
      const [there] = await query<{ systemid: string }>(walsender, 'IDENTIFY_SYSTEM');
      const [here] = await query<{ systemid: string }>(
        subject.client,
        'SELECT system_identifier::text AS systemid FROM pg_control_system()',
      );
      if (there?.systemid === here?.systemid) return ok(name, 'a replication connection reaches the same server');
      const remedy = 'Name one primary in postgres.url, and its standbys: not a load balancer.';
      return failed(name, 'a replication connection reaches another server', remedy);
    } finally {
      await closeConnection(walsender);
    }
  } catch (error) {
    const remedy = `Let ${subject.role} in for logical replication: a pg_hba.conf line for database ${options.database}, and a direct connection.`;
    return hindersReplication(subject, name, `no replication connection: ${describeError(error)}`, remedy);
  }
}
