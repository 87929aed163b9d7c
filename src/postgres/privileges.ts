import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { type CatalogTable, query } from './catalog.ts';
import { companionTables, quoteIdentifier, quoteTable, type TableName } from './identifier.ts';
import type { ColumnMapping } from './table.ts';

/** One privilege on one object, as a role needs it. */
export interface Privilege {
  readonly kind: 'schema' | 'table' | 'column' | 'sequence' | 'function';
  /** SELECT, USAGE, EXECUTE, ... */
  readonly privilege: string;
  /** The table, sequence or function; for a schema its name is empty. */
  readonly on: TableName;
  /** Of a column privilege. */
  readonly column: string | null;
  /** What fails without it. */
  readonly neededFor: string;
}

/**
 * What the relay's role needs, and nothing more: it never inserts into the outbox, never updates it, owns nothing.
 * Besides, it needs the REPLICATION attribute, which is not a privilege that can be granted on an object.
 *
 * @param keepsPublished with those that only `published.retain` needs; `init` grants them in any case
 */
export function relayPrivileges(table: TableName, keepsPublished = true): Privilege[] {
  const { parked, lease, published, schemaVersion } = companionTables(table);
  const all = (on: TableName, privileges: readonly string[], neededFor: string): Privilege[] =>
    privileges.map((privilege) => ({ kind: 'table', privilege, on, column: null, neededFor }));
  return [
    schemaUsage(table, 'finding the tables'),
    ...all(
      table,
      ['SELECT'],
      'reading rows, and LOCK TABLE in ACCESS SHARE MODE (on the whole table before version 16)',
    ),
    ...all(table, ['DELETE'], 'deleting what has been published'),
    ...all(parked, ['SELECT', 'INSERT', 'UPDATE', 'DELETE'], 'setting rows aside, and bringing them back'),
    ...all(lease, ['SELECT', 'INSERT', 'UPDATE'], 'holding the lease'),
    ...all(
      published,
      keepsPublished ? ['SELECT', 'INSERT', 'DELETE'] : [],
      'keeping the ids of published rows (published.retain)',
    ),
    ...all(schemaVersion, ['SELECT'], 'knowing the version of its tables'),
  ];
}

/**
 * What a role needs that writes outbox rows: INSERT into the columns that applications fill, so neither DELETE nor
 * TRUNCATE, and not the order column, whose generated value could otherwise be overridden.
 *
 * @param others `sequence` behind the default of the order column, and the function `publish`, where there are such
 */
export function writerPrivileges(
  table: CatalogTable | null,
  name: TableName,
  columns: ColumnMapping,
  { sequence, publish }: { readonly sequence: TableName | null; readonly publish: TableName | null },
): Privilege[] {
  const writable = table?.columns.filter((column) => !column.generated).map((column) => column.name) ?? [
    ...DEFAULT_WRITABLE,
  ];
  const filled = writable.filter((column) => column !== columns.position);
  const inserts = filled.map((column): Privilege => ({
    kind: 'column',
    privilege: 'INSERT',
    on: name,
    column,
    neededFor: 'writing outbox rows',
  }));
  const ofSequence: Privilege[] =
    sequence === null
      ? []
      : [
          {
            kind: 'sequence',
            privilege: 'USAGE',
            on: sequence,
            column: null,
            neededFor: 'the default of the order column',
          },
        ];
  const ofFunction: Privilege[] =
    publish === null
      ? []
      : [{ kind: 'function', privilege: 'EXECUTE', on: publish, column: null, neededFor: `calling ${publish.name}` }];
  return [schemaUsage(name, 'finding the table'), ...inserts, ...ofSequence, ...ofFunction];
}

const DEFAULT_WRITABLE = ['id', 'aggregatetype', 'aggregateid', 'type', 'payload', 'headers', 'created_at'];

function schemaUsage({ schema }: TableName, neededFor: string): Privilege {
  return { kind: 'schema', privilege: 'USAGE', on: { schema, name: '' }, column: null, neededFor };
}

/**
 * Those of `privileges` that `role` does not hold, neither itself nor by membership. On objects that do not exist
 * nobody holds anything.
 *
 * @throws RelayError `postgres_schema` when there is no such role
 */
export async function missingPrivileges(
  client: pg.Client,
  role: string,
  privileges: readonly Privilege[],
): Promise<Privilege[]> {
  if ((await query(client, 'SELECT FROM pg_roles WHERE rolname = $1', [role])).length === 0)
    throw new RelayError('postgres_schema', `there is no role ${role}`, {
      remedy: `CREATE ROLE ${quoteIdentifier(role)} LOGIN PASSWORD '...'; -- and for the relay: REPLICATION`,
    });
  const rows = await query<{ held: boolean }>(
    client,
    `SELECT coalesce(CASE need.kind
         WHEN 'schema' THEN has_schema_privilege($1::name, n.oid, need.privilege)
         WHEN 'table' THEN has_table_privilege($1::name, c.oid, need.privilege)
         WHEN 'sequence' THEN has_sequence_privilege($1::name, c.oid, need.privilege)
         WHEN 'function' THEN (SELECT bool_and(has_function_privilege($1::name, p.oid, need.privilege))
                               FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = need.name)
         ELSE has_column_privilege($1::name, c.oid, a.attnum, need.privilege)
       END, false) AS held
     FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
       AS need (kind, privilege, schema, name, "column", place)
     LEFT JOIN pg_namespace n ON n.nspname = need.schema
     LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = need.name
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = need."column"
     ORDER BY need.place`,
    [
      role,
      privileges.map(({ kind }) => kind),
      privileges.map(({ privilege }) => privilege),
      privileges.map(({ on }) => on.schema),
      privileges.map(({ on }) => on.name),
      privileges.map(({ column }) => column ?? ''),
    ],
  );
  return privileges.filter((_, index) => rows[index]?.held !== true);
}

/** The GRANT statements for `privileges`: one an object, column privileges apart. */
export function grantStatements(privileges: readonly Privilege[], role: string): string[] {
  const grants = new Map<string, { columnsOf: string | null; object: string; list: string[] }>();
  for (const { kind, privilege, on, column } of privileges) {
    const columnsOf = column === null ? null : privilege;
    const object = grantObject(kind, on);
    const key = `${columnsOf ?? ''} ${object}`;
    const grant = grants.get(key) ?? { columnsOf, object, list: [] };
    grant.list.push(column === null ? privilege : quoteIdentifier(column));
    grants.set(key, grant);
  }
  return [...grants.values()].map(({ columnsOf, object, list }) => {
    const what = columnsOf === null ? list.join(', ') : `${columnsOf} (${list.join(', ')})`;
    return `GRANT ${what} ON ${object} TO ${quoteIdentifier(role)};`;
  });
}

function grantObject(kind: Privilege['kind'], on: TableName): string {
  if (kind === 'schema') return `SCHEMA ${quoteIdentifier(on.schema)}`;
  const object = { table: 'TABLE', column: 'TABLE', sequence: 'SEQUENCE', function: 'FUNCTION' }[kind];
  return `${object} ${quoteTable(on)}`;
}
