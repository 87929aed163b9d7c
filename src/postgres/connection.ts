import type { Socket } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { current, type Renewable } from '../core/renewal.ts';
import type { TlsOptions } from '../core/tls.ts';
import { secureContext } from '../tls/secure-context.ts';
import { postgresError } from './error.ts';
import type { LoginGate, PostgresCredentials } from './login-gate.ts';
import { identifyPrimary, type Admission, type PrimaryIdentity } from './primary.ts';

/** Where and how to connect: the `postgres` part of the configuration, resolved. */
export interface PostgresOptions extends PostgresCredentials, Renewable<PostgresCredentials> {
  /** Tried in order; the first that is a writable primary is taken. A host that begins with `/` is a socket's folder. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly database: string;
  /** For each host: name resolution, TCP, TLS, login and the look whether it is the primary. */
  readonly connectTimeoutMs: number;
  readonly applicationName: string;
  /** Which primaries will do. @default any */
  readonly admission?: Admission;
  /** Holds SQL sessions back after a refused login. Walsenders wait by themselves. @default nothing does */
  readonly gate?: LoginGate;
}

type Host = PostgresOptions['hosts'][number];

/** Where a session is. */
export interface SessionPlace {
  readonly host: Host;
  /** Null: the server cannot tell, or nobody has asked (there is no {@link PostgresOptions.admission}). */
  readonly primary: PrimaryIdentity | null;
}

/**
 * What every session has, so that values print as the same bytes in both lanes and nothing that an administrator set
 * for the role, the database or the server changes what the relay does. They travel in the startup packet: no session
 * ever runs a statement without them, `RESET ALL` comes back to them, no round trip is spent, and a pooler in transaction
 * mode, which would mix sessions up, refuses the connection instead.
 */
const SESSION: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  client_encoding: 'UTF8',
  // Names in the relay's statements are qualified; nobody can slip an operator or function of his own in between.
  search_path: 'pg_catalog,pg_temp',
  // A policy then raises an error instead of hiding rows.
  row_security: 'off',
  // Never wait for a standby: a delete would hang beyond every timeout while one is missing.
  synchronous_commit: 'local',
  default_transaction_isolation: 'read committed',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  // So that the server, too, notices a relay whose machine is gone, and frees its locks and its slot.
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '4',
  tcp_user_timeout: '30000',
};

/**
 * Bounds what a relay that was killed or stopped leaves behind, at whatever point: its backend, and with it the slot, gives
 * up by itself while it waits for a transaction, for the next command, or for an answer to what it streams.
 */
const REPLICATION: Readonly<Record<string, string>> = {
  lock_timeout: '30s',
  idle_session_timeout: '30s',
  wal_sender_timeout: '30s',
};

const KEEPALIVE_DELAY_MS = 10_000;

/** What `pg` has and its types leave out. */
interface Inside {
  readonly connection: { readonly stream: Socket };
}

const losses = new WeakMap<pg.Client, Promise<RelayError>>();
const places = new WeakMap<pg.Client, SessionPlace>();

/**
 * Opens a session for SQL on the primary.
 *
 * @param role what the session is for; appended to the application name, as `pg_stat_activity` shows it
 * @param settings more session settings, over the fixed ones
 * @param signal ends the attempt
 * @throws RelayError `postgres_unreachable`, `postgres_authentication`, `postgres_tls`, `postgres_not_primary`, ...
 */
export async function connectSql(
  options: PostgresOptions,
  role: string,
  settings: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<pg.Client> {
  const now = current(options);
  now.gate?.pass(now);
  try {
    const extra = { options: startupOptions({ ...SESSION, ...settings }) };
    const client = await connectPrimary(now, role, extra, signal);
    now.gate?.accepted();
    return client;
  } catch (error) {
    if (error instanceof RelayError) now.gate?.failed(now, error);
    throw error;
  }
}

/**
 * Opens a walsender session (`replication=database`) on the primary, with the same output settings. One that comes to a
 * server that will not do costs no more than the stream: a pooler may send walsenders elsewhere than all other sessions.
 *
 * @throws RelayError as {@link connectSql}; `postgres_permission` where the role may not replicate
 */
export async function connectReplication(
  options: PostgresOptions,
  role: string,
  signal?: AbortSignal,
): Promise<pg.Client> {
  const now = current(options);
  const extra = { options: startupOptions({ ...SESSION, ...REPLICATION }), replication: 'database' };
  const { admission } = now;
  if (admission === undefined) return connectPrimary(now, role, extra, signal);
  const refusing = { refusal: (server: PrimaryIdentity) => admission.refusal(server), nowhere: () => undefined };
  return connectPrimary({ ...now, admission: refusing }, role, extra, signal);
}

/**
 * Resolves once the connection is over, for whatever reason, with what was told last (`postgres_unreachable` or more
 * exact). Resolves at once when it already is.
 */
export function connectionLost(client: pg.Client): Promise<RelayError> {
  const lost = losses.get(client);
  if (lost === undefined) throw new RelayError('internal', 'connectionLost() on a client from elsewhere');
  return lost;
}

/** Where a session is that has been opened here. */
export function sessionPlace(client: pg.Client): SessionPlace {
  const place = places.get(client);
  if (place === undefined) throw new RelayError('internal', 'sessionPlace() on a client from elsewhere');
  return place;
}

/** Ends a connection: politely within `deadlineMs`, else by closing the socket. Never rejects. Idempotent. */
export async function closeConnection(client: pg.Client, deadlineMs = 1000): Promise<void> {
  const timer = setTimeout(() => destroyConnection(client), deadlineMs);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
}

/** Closes the socket at once: whatever runs on it fails. Idempotent. */
export function destroyConnection(client: pg.Client): void {
  (client as unknown as Inside).connection.stream.destroy();
}

async function connectPrimary(
  options: PostgresOptions,
  role: string,
  extra: ExtraConfig,
  signal: AbortSignal | undefined,
): Promise<pg.Client> {
  const failures: RelayError[] = [];
  for (const host of options.hosts) {
    if (signal?.aborted) break;
    const client = newClient(options, host, role, extra);
    try {
      await withDeadline(login(client, host, options.admission), options.connectTimeoutMs, host, signal);
      return client;
    } catch (error) {
      destroyConnection(client);
      failures.push(postgresError(error, `connecting to ${hostText(host)}`));
    }
  }
  if (signal?.aborted) throw new RelayError('postgres_unreachable', 'connecting to Postgres was given up: stopping');
  const refusal = failures.find(({ code }) => REFUSALS.has(code));
  if (refusal !== undefined) options.admission?.nowhere(refusal);
  throw mostTelling(failures);
}

/** Of hosts that were reached and will not do. */
const REFUSALS: ReadonlySet<string> = new Set(['postgres_other_primary', 'postgres_stale_primary']);

interface ExtraConfig {
  readonly options: string;
  readonly replication?: string;
}

function newClient(options: PostgresOptions, host: Host, role: string, extra: ExtraConfig): pg.Client {
  const config: pg.ClientConfig & ExtraConfig = {
    ...host,
    ...extra,
    database: options.database,
    user: options.user,
    // A function, since `pg` would look into the environment and ~/.pgpass for a password that is null.
    password: () => requirePassword(options),
    ssl: options.tls === null ? false : tlsConfig(options.tls, host.host),
    sslnegotiation: 'postgres',
    application_name: `${options.applicationName} ${role}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
  };
  const client = new pg.Client(config);
  const lost = new Promise<RelayError>((resolve) => {
    client.on('error', (error) => resolve(postgresError(error, `connection to ${hostText(host)}`)));
    client.once('end', () =>
      resolve(new RelayError('postgres_unreachable', `connection to ${hostText(host)}: closed`)),
    );
  });
  losses.set(client, lost);
  return client;
}

function requirePassword(options: PostgresOptions): string {
  if (options.password !== null) return options.password;
  throw new RelayError(
    'postgres_authentication',
    `Postgres asks for the password of ${options.user}, and none is configured`,
    { remedy: 'Set postgres.password, for instance to ${file:/run/secrets/postgres-password}.' },
  );
}

function tlsConfig(tls: TlsOptions, host: string): ConnectionOptions {
  const { checkHostname, servername, rejectUnauthorized } = tls;
  return {
    secureContext: secureContext(tls, 'postgres.tls'),
    rejectUnauthorized,
    ...(servername === undefined ? {} : { servername }),
    checkServerIdentity: (_, certificate) =>
      checkHostname ? checkServerIdentity(servername ?? host, certificate) : undefined,
  };
}

async function login(client: pg.Client, host: Host, admission: Admission | undefined): Promise<void> {
  await client.connect();
  const { rows } = await client.query<{ recovering: boolean; read_only: string }>(
    `SELECT pg_is_in_recovery() AS recovering, current_setting('transaction_read_only') AS read_only`,
  );
  if (rows[0]?.recovering === true)
    throw new RelayError('postgres_not_primary', `${hostText(host)} is a standby (in recovery)`);
  if (rows[0]?.read_only !== 'off') throw new RelayError('postgres_not_primary', `${hostText(host)} is read-only`);
  await client.query(NO_TRANSACTION_TIMEOUT);
  const primary = admission === undefined ? null : await identifyPrimary(client);
  const refusal = primary === null ? null : admission?.refusal(primary);
  if (refusal) throw new RelayError(refusal.code, `${hostText(host)}: ${refusal.message}`);
  places.set(client, { host, primary });
}

/** What was set for the role must not end passes. A server before 17 does not know it, and would refuse it at the start. */
const NO_TRANSACTION_TIMEOUT = `SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout' AND setting <> '0'`;

/** Races `work` against the time and the signal; the caller then closes the socket, so that nothing of it goes on. */
async function withDeadline(
  work: Promise<void>,
  milliseconds: number,
  host: Host,
  signal: AbortSignal | undefined,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let giveUp: (() => void) | undefined;
  const cut = new Promise<never>((_, reject) => {
    const over = (why: string): void =>
      reject(new RelayError('postgres_unreachable', `connecting to ${hostText(host)}: ${why}`));
    timer = setTimeout(() => over(`no login within ${milliseconds} ms`), milliseconds);
    giveUp = () => over('given up, the relay stops');
    signal?.addEventListener('abort', giveUp, { once: true });
  });
  try {
    await Promise.race([work, cut]);
  } finally {
    clearTimeout(timer);
    if (giveUp !== undefined) signal?.removeEventListener('abort', giveUp);
  }
}

/** Of several hosts' errors, that which somebody has to act on; the others are named behind it. */
function mostTelling(failures: readonly RelayError[]): RelayError {
  const first =
    failures.find((error) => error.class === 'configuration') ??
    failures.find((error) => REFUSALS.has(error.code)) ??
    failures.find((error) => error.code === 'postgres_not_primary') ??
    failures[0];
  if (first === undefined) return new RelayError('config_invalid', 'no Postgres host is configured');
  if (failures.length === 1) return first;
  const message = [first, ...failures.filter((error) => error !== first)].map((error) => error.message).join('; ');
  return new RelayError(first.code, message, { cause: first, remedy: first.remedy });
}

function hostText({ host, port }: Host): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The startup packet's `options`: `-c name=value`, blanks and backslashes escaped by backslashes. */
function startupOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, '\\$&')}`)
    .join(' ');
}
