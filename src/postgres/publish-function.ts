import type pg from 'pg';
import { type CatalogTable, query } from './catalog.ts';
import { derivedName, quoteIdentifier, quoteLiteral, quoteTable, type TableName } from './identifier.ts';
import type { PayloadType } from './migrate.ts';
import type { ColumnMapping, TableMapping } from './table.ts';

/** The function through which programs in any language write events: what `init` has to do about it. */
export interface PublishFunctionPlan {
  /** What makes it; none when it is there already, or cannot be made. */
  readonly statements: readonly { readonly purpose: string; readonly sql: string }[];
  /** Why it cannot be made. */
  readonly notes: readonly string[];
  /** Its name, for those who are to call it; null when there is none and none is made. */
  readonly name: TableName | null;
}

/** A column that the function fills, as the catalog has it. */
interface FilledColumn {
  readonly name: string;
  /** As `format_type()` prints it, without modifiers, which parameters do not have. */
  readonly type: string;
  /** Must be given: neither nullable, nor filled by the database. */
  readonly required: boolean;
  /** Filled by the database. */
  readonly automatic: boolean;
}

/** Types of ids that the function can make. */
const ID_TYPES: readonly string[] = ['uuid', 'text', 'character varying'];

/** `outbox_publish` for a table `outbox`: in its schema, named after it. */
export function publishFunctionName(table: TableName): TableName {
  return { schema: table.schema, name: derivedName(table.name, '_publish') };
}

/**
 * Compares the function that is there with the one that the table needs. Reads only.
 *
 * @param table null: it is yet to be made, with the default columns
 * @param payload the type of the payload column then
 */
export async function planPublishFunction(
  client: pg.Client,
  mapping: TableMapping,
  table: CatalogTable | null,
  payload: PayloadType,
): Promise<PublishFunctionPlan> {
  const name = publishFunctionName(mapping);
  const columns = table === null ? defaultColumns(payload) : await readColumns(client, table);
  const hindrance = hindranceOf(columns, mapping.columns);
  if (hindrance !== null) return { statements: [], notes: [`no function ${name.name}: ${hindrance}`], name: null };
  const { parameters, returns, body } = definitionOf(mapping, columns);
  const found = await readFunctions(client, name);
  if (found.length === 0) {
    const sql = `CREATE FUNCTION ${quoteTable(name)} (${parameters})
  RETURNS ${returns} LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS ${quoteLiteral(body)};
COMMENT ON FUNCTION ${quoteTable(name)} IS 'Writes an event into the outbox, in the transaction of its caller, and returns its id.';
REVOKE ALL ON FUNCTION ${quoteTable(name)} FROM PUBLIC;`;
    return { statements: [{ purpose: `function ${name.name}, for writers`, sql }], notes: [], name };
  }
  if (found.length === 1 && found[0]?.body === body && found[0].invoker) return { statements: [], notes: [], name };
  const note = `there is another function ${name.schema}.${name.name}, which init leaves as it is; DROP FUNCTION ${quoteTable(name)}; makes room for the one that writes into this table`;
  return { statements: [], notes: [note], name: null };
}

/** Why the function cannot fill the table; null: it can. */
function hindranceOf(columns: readonly FilledColumn[], mapping: ColumnMapping): string | null {
  const id = columns.find(({ name }) => name === mapping.id);
  if (id === undefined || !ID_TYPES.includes(id.type))
    return `it could not make ids of type ${id?.type ?? 'unknown'} for column ${mapping.id}`;
  const filled = new Set(Object.values(mapping).filter((name) => name !== null));
  const missing = columns.find(({ name, required }) => required && !filled.has(name));
  return missing === undefined ? null : `column ${missing.name} has no default, and is none that events are written to`;
}

/** What the function is, in SQL. Parameters are used by number: their names are those of columns, too. */
function definitionOf(
  table: TableMapping,
  columns: readonly FilledColumn[],
): { parameters: string; returns: string; body: string } {
  const { aggregatetype, aggregateid, type, payload, headers, id, createdAt } = table.columns;
  const typeOf = (name: string): string => columns.find((column) => column.name === name)?.type ?? 'text';
  const candidates: readonly (readonly [parameter: string, column: string | null, ending: string])[] = [
    ['aggregate_type', aggregatetype, ''],
    ['aggregate_id', aggregateid, ''],
    ['type', type, ''],
    ['payload', payload, ''],
    ['headers', headers, ' DEFAULT NULL'],
    ['id', id, ' DEFAULT NULL'],
  ];
  const given = candidates.filter((candidate): candidate is [string, string, string] => candidate[1] !== null);
  const stamped = columns.some(({ name, automatic }) => name === createdAt && !automatic) ? createdAt : null;
  const names = [...given.map(([, column]) => column), ...(stamped === null ? [] : [stamped])];
  const values = [...given.slice(0, -1).map((_, place) => `$${place + 1}`), 'event_id'];
  if (stamped !== null) values.push('clock_timestamp()');
  const returns = typeOf(id);
  return {
    parameters: given.map(([parameter, column, ending]) => `${parameter} ${typeOf(column)}${ending}`).join(', '),
    returns,
    body: `
DECLARE
  event_id ${returns} := coalesce($${given.length}, gen_random_uuid()::${returns});
BEGIN
  INSERT INTO ${quoteTable(table)} (${names.map(quoteIdentifier).join(', ')})
  VALUES (${values.join(', ')});
  RETURN event_id;
END
`,
  };
}

/** Those of sql/002-outbox.sql. */
function defaultColumns(payload: PayloadType): readonly FilledColumn[] {
  const column = (name: string, type: string, required = true): FilledColumn => ({
    name,
    type,
    required,
    automatic: false,
  });
  return [
    ...[column('aggregatetype', 'text'), column('aggregateid', 'text'), column('type', 'text')],
    ...[column('payload', payload, false), column('headers', 'jsonb', false)],
    { ...column('id', 'uuid', false), automatic: true },
    { ...column('created_at', 'timestamp with time zone', false), automatic: true },
  ];
}

async function readColumns(client: pg.Client, table: CatalogTable): Promise<readonly FilledColumn[]> {
  return query<FilledColumn>(
    client,
    `SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, f.automatic,
            (a.attnotnull OR t.typnotnull) AND NOT f.automatic AS required
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     CROSS JOIN LATERAL (SELECT a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS automatic) f
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [table.oid],
  );
}

async function readFunctions(
  client: pg.Client,
  { schema, name }: TableName,
): Promise<readonly { body: string; invoker: boolean }[]> {
  return query<{ body: string; invoker: boolean }>(
    client,
    `SELECT p.prosrc AS body, NOT p.prosecdef AS invoker FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = $1 AND p.proname = $2`,
    [schema, name],
  );
}
