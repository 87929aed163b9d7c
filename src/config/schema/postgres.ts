import { parsePostgresUrl } from './postgres-url.ts';
import { attempt, rejectRepetition } from './transformations.ts';
import { definedOnly, parseHosts, type HostPort } from './url-parts.ts';
import { duration, integer, refuse, secret, section, text } from './scalars.ts';
import { formatDuration } from '../units.ts';
import type { Renewable } from '../../core/renewal.ts';
import type { TlsOptions } from '../../core/tls.ts';
import { tlsSchema } from './tls.ts';

/** What may be replaced while the relay runs. */
interface PostgresCredentials {
  readonly user: string;
  readonly password: string | null;
  /** Null: plain text. */
  readonly tls: TlsOptions | null;
}

/** Where the outbox is: what a connection needs. */
export interface PostgresConfig extends PostgresCredentials, Renewable<PostgresCredentials> {
  /** In the order in which they are tried; the first that is a writable primary is taken. */
  readonly hosts: readonly HostPort[];
  readonly database: string;
  /** Milliseconds, for one attempt at one host. */
  readonly connectTimeoutMs: number;
  readonly applicationName: string;
}

const DEFAULT_PORT = 5432;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_APPLICATION_NAME = 'outbox-relay';

const fields = section({
  url: secret('a URL such as postgres://relay@db.example:5432/shop?sslmode=verify-full')
    .transform((given, context) => attempt(context, [], () => parsePostgresUrl(given)))
    .optional()
    .describe(
      'Connection URL as libpq takes it, several hosts included: `postgres://relay@db1:5432,db2:5432/shop?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem`. It must lead to Postgres directly: replication does not pass a pooler. What it leaves out can be given by the options below.',
    ),
  host: text('a host name')
    .optional()
    .describe(
      'Host, or several separated by commas, each perhaps with its port (`db1:5432,db2:5433`); the first that is a writable primary is taken. A path is a Unix socket.',
    ),
  port: integer(1, 65535).optional().describe('Port of the hosts that name none.').meta({ fallback: DEFAULT_PORT }),
  database: text('the name of a database').optional().describe('Database that holds the outbox table.'),
  user: text('the name of a role')
    .optional()
    .describe('Role to log in as; `outbox-relay init` grants it what it needs.'),
  password: secret('a password')
    .optional()
    .describe('Password of the role; not needed for peer, trust and certificate logins.'),
  tls: tlsSchema
    .nullable()
    .optional()
    .describe(
      'TLS to Postgres; an empty section (`tls: {}`) verifies everything. Left out: plain text, or what `sslmode` in the URL says.',
    ),
  connectTimeout: duration({ min: '100ms', max: '5m' })
    .optional()
    .describe('How long one attempt to connect to one host may take.')
    .meta({ fallback: formatDuration(DEFAULT_CONNECT_TIMEOUT_MS) }),
  applicationName: text('a name of 1 to 40 printable ASCII characters', /^[\x20-\x7e]{1,40}$/)
    .optional()
    .describe('Shown in pg_stat_activity, followed by what the connection is for.')
    .meta({ fallback: DEFAULT_APPLICATION_NAME }),
});

/** The `postgres:` section, resolved to what a connection needs. */
export const postgresSchema = fields
  .transform(({ url, host, port, connectTimeout, ...given }, context): PostgresConfig => {
    const said = definedOnly({ ...given, connectTimeoutMs: connectTimeout });
    const inUrl = url && { ...url, host: url.hosts, port: url.hosts, connectTimeout: url.connectTimeoutMs };
    rejectRepetition('url', inUrl, { ...given, host, port, connectTimeout }, context);
    const hosts =
      url?.hosts ??
      (host === undefined ? [] : attempt(context, ['host'], () => parseHosts(host, port ?? DEFAULT_PORT)));
    const merged = { ...url, ...said };
    const { user, database } = merged;
    if (hosts.length === 0)
      refuse(context, 'is missing: expected a connection URL, or host, database and user', ['url']);
    if (user === undefined || database === undefined) {
      const absent = user === undefined ? 'user' : 'database';
      return refuse(context, `is missing: give it in postgres.url or as postgres.${absent}`, [absent]);
    }
    return {
      hosts,
      database,
      user,
      password: merged.password ?? null,
      tls: merged.tls ?? null,
      connectTimeoutMs: merged.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      applicationName: merged.applicationName ?? DEFAULT_APPLICATION_NAME,
    };
  })
  .describe('The database that holds the outbox table: a URL, or its parts.');
