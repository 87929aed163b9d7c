/** Outbox tables of all shapes on real Postgres, for tests: each in a schema of its own, so that one database serves many. */
import pg from 'pg';
import type { PostgresOptions } from '../../src/postgres/connection.ts';
import { applyInit, type InitOptions } from '../../src/postgres/init.ts';
import type { ColumnMapping, TableMapping } from '../../src/postgres/table.ts';
import { uniqueName } from './unique-name.ts';

export const DEFAULT_COLUMNS: ColumnMapping = {
  position: 'position',
  id: 'id',
  aggregatetype: 'aggregatetype',
  aggregateid: 'aggregateid',
  type: 'type',
  payload: 'payload',
  headers: 'headers',
  createdAt: 'created_at',
};

const ROLE_PASSWORD = 'a test needs no secret';

/** How to connect to a database by its URL, perhaps as another role made by {@link createRole}. */
export function postgresOptions(url: string, role?: string): PostgresOptions {
  const { hostname, port, pathname, username, password } = new URL(url);
  return {
    hosts: [{ host: hostname, port: Number(port || 5432) }],
    database: decodeURIComponent(pathname.slice(1)),
    user: role ?? decodeURIComponent(username),
    password: role === undefined ? decodeURIComponent(password) || null : ROLE_PASSWORD,
    tls: null,
    connectTimeoutMs: 10_000,
    applicationName: 'test',
  };
}

/** A plain session of the superuser. */
export async function connectAdmin(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Makes a role that may log in; drop it, when its database is gone, with {@link dropRoles}. */
export async function createRole(admin: pg.Client, prefix: string, attributes = ''): Promise<string> {
  const name = uniqueName(prefix);
  await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD '${ROLE_PASSWORD}' ${attributes}`);
  return name;
}

/** Drops roles together with what they hold in the session's database. */
export async function dropRoles(admin: pg.Client, roles: readonly string[]): Promise<void> {
  for (const role of roles) await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
}

/** What `init` is asked for: a table `outbox` in a new schema, with publication, unless told otherwise. */
export function initOptions(options: Partial<InitOptions> = {}): InitOptions {
  return {
    mapping: tableMapping(),
    payload: 'jsonb',
    relayRole: null,
    writerRole: null,
    publication: uniqueName('publication'),
    ...options,
  };
}

/** The default columns of table `outbox` in a schema that does not exist yet. */
export function tableMapping(columns: Partial<ColumnMapping> = {}, schema = uniqueName('schema')): TableMapping {
  return { schema, name: 'outbox', columns: { ...DEFAULT_COLUMNS, ...columns }, extra: [] };
}

/** Sets a default outbox up and returns what it was made by. */
export async function createOutbox(admin: pg.Client, options: Partial<InitOptions> = {}): Promise<InitOptions> {
  const complete = initOptions(options);
  await applyInit(admin, complete, true);
  return complete;
}
