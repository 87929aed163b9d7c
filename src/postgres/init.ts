import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import type { ReportProgress } from '../core/progress.ts';
import { ONE_SHARD, type ShardLayout } from '../core/sharding.ts';
import { type CatalogTable, query, readCatalogTable } from './catalog.ts';
import { postgresError } from './error.ts';
import { quoteIdentifier, type TableName } from './identifier.ts';
import { LATEST_VERSION, type PayloadType, type SchemaState, schemaState } from './migrate.ts';
import { addOrderColumn, backfillScript, isEmpty, type OrderColumn, readOrderColumn } from './order-column.ts';
import { grantStatements, missingPrivileges, relayPrivileges, writerPrivileges } from './privileges.ts';
import { planPublishFunction } from './publish-function.ts';
import { publicationDefects, readPublication, shardPublication } from './publication.ts';
import { tableShards } from './sharding.ts';
import { outboxTable, requireTable, type TableMapping } from './table.ts';

/** What `outbox-relay init` is asked to bring about. */
export interface InitOptions {
  /** Schema, name and columns of the outbox table. */
  readonly mapping: TableMapping;
  /** Type of the payload column where the table is made. */
  readonly payload: PayloadType;
  /** Who is to run the relay; null: no grants. The role must exist. */
  readonly relayRole: string | null;
  /** Who is to write outbox rows; null: no grants. The role must exist. */
  readonly writerRole: string | null;
  /** Null: none (`capture.mode: polling`). */
  readonly publication: string | null;
  /** How the outbox is shared out: one publication a shard. @default one shard */
  readonly sharding?: ShardLayout;
  /**
   * The column by whose order existing rows would get their positions, where the order column is missing.
   *
   * @default the column of `createdAt`
   */
  readonly backfillBy?: string | null;
}

/** A statement, or several that belong together, and what for. */
export interface InitStatement {
  readonly purpose: string;
  readonly sql: string;
}

/** What `init` would do. */
export interface InitPlan {
  /** In order, to be run in one transaction; empty when there is nothing to do. */
  readonly statements: readonly InitStatement[];
  /** What it cannot do and somebody has to, or should know. */
  readonly notes: readonly string[];
  /** Whether the outbox table was there already: then nothing is changed without consent. */
  readonly needsConsent: boolean;
}

/** A plan and whether it was carried out: not when it needs consent that was not given. */
export interface InitResult extends InitPlan {
  readonly applied: boolean;
}

/** Several `init` at once wait for each other: 'outb', 'init'. */
const LOCK = 'SELECT pg_advisory_xact_lock(1869968482, 1768843636);';
/** So that a busy table makes `init` fail instead of writers wait behind it. */
const LOCK_TIMEOUT = `SET LOCAL lock_timeout = '10s';`;

/**
 * Compares what is there with what is wanted. Reads only.
 *
 * @throws RelayError `postgres_schema` for what `init` cannot mend, such as a role that does not exist
 */
export async function planInit(client: pg.Client, options: InitOptions): Promise<InitPlan> {
  const { mapping } = options;
  const table = await readCatalogTable(client, mapping);
  if (table === null) requireDefaultColumns(mapping);
  else requireTable(table);
  const state = await schemaState(client, mapping, options.payload);
  const order = table === null ? null : await readOrderColumn(client, table, mapping.columns.position);
  const column =
    table === null || order?.column !== null
      ? { statements: [], notes: [] }
      : await planOrderColumn(client, table, options);
  const publish = await planPublishFunction(client, mapping, table, options.payload);
  const statements = [
    ...(await planSchema(client, mapping.schema)),
    ...planMigrations(state),
    ...column.statements,
    ...publish.statements,
    ...(await planPublications(client, table, options)),
    ...(await planGrants(client, table, order, publish.name, options)),
  ];
  const notes = [
    ...column.notes,
    ...publish.notes,
    ...(await roleNotes(client, options)),
    ...tableNotes(table, order, options, state),
  ];
  return { statements, notes, needsConsent: table !== null && statements.length > 0 };
}

/**
 * Plans again under a lock that lets only one `init` run at a time, and carries the plan out in one transaction.
 *
 * @param consent whether things may be changed although the outbox table exists already
 * @param report told before each statement
 * @throws RelayError `postgres_*`: then nothing has changed
 */
export async function applyInit(
  client: pg.Client,
  options: InitOptions,
  consent: boolean,
  report: ReportProgress = () => undefined,
): Promise<InitResult> {
  try {
    await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; ${LOCK} ${LOCK_TIMEOUT}`);
    const plan = await planInit(client, options);
    const applied = consent || !plan.needsConsent;
    const statements = applied ? plan.statements : [];
    for (const [done, { purpose, sql }] of statements.entries()) {
      report({ what: purpose, done, total: statements.length, unit: 'statements' });
      await client.query(sql);
    }
    await client.query('COMMIT');
    return { ...plan, applied };
  } catch (error) {
    // A connection that is lost cannot roll back, and need not.
    await client.query('ROLLBACK').catch(() => undefined);
    throw postgresError(error, 'setting up the outbox');
  }
}

/** The plan as one script, to be run as it stands by psql or any other client. */
export function initScript(plan: InitPlan): string {
  const comment = (text: string): string => `-- ${text.replaceAll('\n', '\n-- ')}`;
  const body = plan.statements.map(({ purpose, sql }) => `${comment(purpose)}\n${sql}`);
  const script = body.length === 0 ? ['-- Nothing to do.'] : ['BEGIN;', LOCK, LOCK_TIMEOUT, ...body, 'COMMIT;'];
  return [...plan.notes.map((note) => comment(`Note: ${note}`)), ...script, ''].join('\n');
}

async function planSchema(client: pg.Client, schema: string): Promise<InitStatement[]> {
  const there = await query(client, 'SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  if (there.length > 0) return [];
  return [{ purpose: `schema ${schema}`, sql: `CREATE SCHEMA ${quoteIdentifier(schema)};` }];
}

function planMigrations(state: SchemaState): InitStatement[] {
  return state.pending.map(({ name, sql }) => ({ purpose: `migration ${name}`, sql }));
}

async function planOrderColumn(
  client: pg.Client,
  table: CatalogTable,
  { mapping, backfillBy }: InitOptions,
): Promise<{ statements: InitStatement[]; notes: string[] }> {
  const { position, createdAt } = mapping.columns;
  const version = await serverVersion(client);
  if (await isEmpty(client, table)) {
    const sql = addOrderColumn(table, position, version).join('\n');
    return { statements: [{ purpose: `order column ${position}, for the table is empty`, sql }], notes: [] };
  }
  const by = backfillBy ?? createdAt;
  const missing = `${table.schema}.${table.name} has rows and no order column ${position}, so init does not add it`;
  const note =
    by === null
      ? `${missing}; name the column that tells the order of its rows to see the statements that would`
      : `${missing}; these statements number the rows in the order of ${by}, while writers wait:\n${backfillScript(table, position, by, version)}`;
  return { statements: [], notes: [note] };
}

async function planPublications(
  client: pg.Client,
  table: CatalogTable | null,
  { mapping, publication, sharding = ONE_SHARD }: InitOptions,
): Promise<InitStatement[]> {
  if (publication === null) return [];
  // A table that is yet to be made is like one that no publication covers and that hides nothing.
  const planned: CatalogTable = table ?? {
    ...mapping,
    oid: 0,
    kind: 'r',
    partitionKey: [],
    unlogged: false,
    columns: [],
  };
  const needed = planned.columns.map((column) => column.name);
  const statements: InitStatement[] = [];
  for (const shard of tableShards(sharding, table)) {
    const name = shardPublication(publication, shard?.shard ?? 0, sharding.shards);
    const state = await readPublication(client, name, planned, shard);
    for (const { aspect, message, sql } of publicationDefects(state, planned, needed))
      statements.push({ purpose: aspect === 'exists' ? `publication ${name}` : message, sql });
  }
  return statements;
}

async function planGrants(
  client: pg.Client,
  table: CatalogTable | null,
  order: OrderColumn | null,
  publish: TableName | null,
  { mapping, relayRole, writerRole }: InitOptions,
): Promise<InitStatement[]> {
  const sequence = order?.column?.identity === false ? order.sequence : null;
  const wanted = [
    { role: relayRole, privileges: relayPrivileges(mapping) },
    { role: writerRole, privileges: writerPrivileges(table, mapping, mapping.columns, { sequence, publish }) },
  ];
  const statements: InitStatement[] = [];
  for (const { role, privileges } of wanted) {
    if (role === null) continue;
    const missing = await missingPrivileges(client, role, privileges);
    for (const sql of grantStatements(missing, role)) statements.push({ purpose: `privileges of ${role}`, sql });
  }
  return statements;
}

async function roleNotes(client: pg.Client, { relayRole, publication }: InitOptions): Promise<string[]> {
  if (relayRole === null || publication === null) return [];
  const [role] = await query<{ may: boolean }>(
    client,
    'SELECT rolreplication OR rolsuper AS may FROM pg_roles WHERE rolname = $1',
    [relayRole],
  );
  if (role?.may === true) return [];
  const name = quoteIdentifier(relayRole);
  return [
    `${relayRole} may not replicate yet, so the relay would poll. As a superuser: ALTER ROLE ${name} REPLICATION; on Amazon RDS: GRANT rds_replication TO ${name};`,
  ];
}

function tableNotes(
  table: CatalogTable | null,
  order: OrderColumn | null,
  { mapping, payload }: InitOptions,
  { version }: SchemaState,
): string[] {
  const notes: string[] = [];
  if (version > LATEST_VERSION)
    notes.push(`the relay's tables are of version ${version}, made by a newer relay than this one (${LATEST_VERSION})`);
  if (table === null) return notes;
  if (order?.column !== null) outboxTable(table, mapping);
  const found = table.columns.find((column) => column.name === mapping.columns.payload);
  if (found !== undefined && found.type !== payload)
    notes.push(`${mapping.columns.payload} is of type ${found.type}, and stays so`);
  return notes;
}

async function serverVersion(client: pg.Client): Promise<number> {
  const [row] = await query<{ version: number }>(
    client,
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return row?.version ?? 0;
}

/** @throws RelayError `postgres_schema` when the columns are not those of the table that `init` would make */
function requireDefaultColumns({ schema, name, columns }: TableMapping): void {
  const { createdAt, ...others } = columns;
  const strange = Object.entries({ ...others, created_at: createdAt }).filter(
    ([role, column]) => column !== null && column !== role,
  );
  if (strange.length === 0) return;
  const list = strange.map(([role, column]) => `${role}: ${column ?? ''}`).join(', ');
  throw new RelayError(
    'postgres_schema',
    `there is no table ${schema}.${name}, and init would make one with other columns than table.columns says (${list})`,
    { remedy: 'Create the table yourself, set table.name to the table there is, or leave table.columns out.' },
  );
}
