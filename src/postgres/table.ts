import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { columnLayout } from '../core/row.ts';
import { didYouMean } from '../core/suggest.ts';
import type { OutboxTable, TableColumn } from '../core/table.ts';
import { type CatalogColumn, type CatalogTable, query, readCatalogTable } from './catalog.ts';
import { quoteTable, type TableName } from './identifier.ts';

/** Which column of the table plays which role; null where the table has none. */
export interface ColumnMapping {
  readonly position: string;
  readonly id: string;
  readonly aggregatetype: string | null;
  readonly aggregateid: string;
  readonly type: string | null;
  readonly payload: string;
  readonly headers: string | null;
  readonly createdAt: string | null;
}

/** The outbox table as it is configured. */
export interface TableMapping extends TableName {
  readonly columns: ColumnMapping;
  /** Further names that templates and rules of routes use: a role's name (`created_at`) or a column's own. */
  readonly extra: readonly string[];
}

const INTEGERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint']);
const TIMES: ReadonlySet<string> = new Set(['timestamp with time zone', 'timestamp without time zone']);
const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialised view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
  I: 'an index',
  c: 'a type',
};

/**
 * Finds the configured outbox table in the catalog.
 *
 * @throws RelayError `postgres_schema` naming what is missing, and what was perhaps meant; `postgres_*` else
 */
export async function inspectTable(client: pg.Client, mapping: TableMapping): Promise<OutboxTable> {
  const found = await readCatalogTable(client, mapping);
  if (found === null) throw await missingTable(client, mapping);
  return outboxTable(found, mapping);
}

/** Fits the mapping onto what the catalog has. @throws RelayError `postgres_schema` as {@link inspectTable} */
export function outboxTable(found: CatalogTable, mapping: TableMapping): OutboxTable {
  requireTable(found);
  const { columns } = mapping;
  const physical = new Map(Object.entries({ ...columns, created_at: columns.createdAt }));
  const always = (['aggregatetype', 'aggregateid', 'type', 'payload', 'headers'] as const).filter(
    (role) => columns[role] !== null,
  );
  const names = [...new Set<string>([...always, ...mapping.extra])];
  const reads = names.map((name) => readable(found, physical.get(name) ?? name));
  return {
    schema: found.schema,
    name: found.name,
    position: requireType(found, columns.position, INTEGERS, 'an integer type'),
    id: readable(found, columns.id),
    createdAt: columns.createdAt === null ? null : requireType(found, columns.createdAt, TIMES, 'a timestamp type'),
    reads,
    layout: columnLayout(names),
  };
}

/** An ordinary or a partitioned table, and a logged one. @throws RelayError `postgres_schema` */
export function requireTable(found: CatalogTable): void {
  if (found.unlogged) {
    const remedy = `ALTER TABLE ${quoteTable(found)} SET LOGGED;`;
    throw schemaError(
      found,
      'is unlogged: a crash of the server empties it, and the log does not carry its rows',
      remedy,
    );
  }
  if (found.kind === 'r' || found.kind === 'p') return;
  throw schemaError(
    found,
    `is ${KINDS[found.kind] ?? 'not a table'}, and rows can be captured from tables only`,
    'Set table.name to the table that applications insert into.',
  );
}

function requireType(found: CatalogTable, name: string, types: ReadonlySet<string>, wanted: string): TableColumn {
  const column = requireColumn(found, name);
  if (!types.has(column.baseType))
    throw schemaError(found, `column ${name} is of type ${column.type}, and ${wanted} is needed`);
  return readable(found, name);
}

function readable(found: CatalogTable, name: string): TableColumn {
  const column = requireColumn(found, name);
  if (column.generated)
    throw schemaError(
      found,
      `column ${name} is a generated column, which the log does not carry`,
      'Use the columns it is computed from, in a template if need be.',
    );
  if (column.baseType === 'bytea' && column.type !== 'bytea')
    throw schemaError(found, `column ${name} is of a domain over bytea; only bytea itself is decoded`);
  const { type, notNull, expression } = column;
  return { name, type, ...(notNull && { notNull }), ...(expression !== null && { defaultExpression: expression }) };
}

function requireColumn(found: CatalogTable, name: string): CatalogColumn {
  const column = found.columns.find((candidate) => candidate.name === name);
  if (column !== undefined) return column;
  const names = found.columns.map((candidate) => candidate.name);
  const near = didYouMean(name, names);
  const hint = near === null ? `it has ${names.join(', ')}` : `did you mean ${near}?`;
  throw schemaError(
    found,
    `has no column ${name} (${hint})`,
    'Name the columns in table.columns, null for those that the table does not have.',
  );
}

async function missingTable(client: pg.Client, { schema, name }: TableName): Promise<RelayError> {
  const tables = await query<{ schema: string; name: string }>(
    client,
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' LIMIT 10000`,
  );
  const wanted = `${schema}.${name}`;
  const elsewhere = tables.find((table) => table.name === name);
  const near =
    elsewhere === undefined
      ? didYouMean(
          wanted,
          tables.map((table) => `${table.schema}.${table.name}`),
        )
      : `${elsewhere.schema}.${elsewhere.name}`;
  return new RelayError(
    'postgres_schema',
    `there is no table ${wanted}${near === null ? '' : ` (did you mean ${near}?)`}`,
    { remedy: `Set table.name, or create the table: outbox-relay init --table ${wanted}` },
  );
}

function schemaError(table: TableName, what: string, remedy?: string): RelayError {
  const message = `${table.schema}.${table.name} ${what}`.replace(`${table.name} column`, `${table.name}: column`);
  return new RelayError('postgres_schema', message, remedy === undefined ? {} : { remedy });
}
