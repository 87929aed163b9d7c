import type pg from 'pg';
import { postgresError } from './error.ts';
import type { TableName } from './identifier.ts';

/** A column as the catalog has it. */
export interface CatalogColumn {
  readonly name: string;
  /** `pg_attribute.attnum`. */
  readonly number: number;
  /** As `format_type()` prints it, modifiers included: `character varying(36)`. */
  readonly type: string;
  /** The same for a domain's base type; else as `type`, without modifiers. */
  readonly baseType: string;
  readonly notNull: boolean;
  /** Computed from other columns, stored or virtual. */
  readonly generated: boolean;
  /** GENERATED ALWAYS or BY DEFAULT AS IDENTITY. */
  readonly identity: boolean;
  /** The DEFAULT, or what a generated column is computed from, as SQL; null where there is neither. */
  readonly expression: string | null;
}

/** A relation as the catalog has it. */
export interface CatalogTable extends TableName {
  readonly oid: number;
  /** `pg_class.relkind`: r table, p partitioned table, v view, m materialised view, f foreign table, S sequence, ... */
  readonly kind: string;
  /** The columns it is partitioned by, an empty name for an expression; empty for tables that are not partitioned. */
  readonly partitionKey: readonly string[];
  /** Not logged: a crash empties it, and the log never carries its rows. */
  readonly unlogged: boolean;
  /** Without dropped columns, in order. */
  readonly columns: readonly CatalogColumn[];
}

/** Looks a relation up by its exact name; null when there is none. @throws RelayError `postgres_*` */
export async function readCatalogTable(client: pg.Client, { schema, name }: TableName): Promise<CatalogTable | null> {
  const [table] = await query<Omit<CatalogTable, 'schema' | 'name' | 'columns'>>(
    client,
    `SELECT c.oid::int8::float8 AS oid, c.relkind AS kind, c.relpersistence = 'u' AS unlogged,
            ARRAY(SELECT coalesce(a.attname, '')::text
                  FROM pg_partitioned_table p CROSS JOIN unnest(p.partattrs) WITH ORDINALITY k (number, place)
                  LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.number
                  WHERE p.partrelid = c.oid ORDER BY k.place) AS "partitionKey"
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, name],
  );
  if (table === undefined) return null;
  const columns = await query<CatalogColumn>(
    client,
    `SELECT a.attname AS name, a.attnum AS number, format_type(a.atttypid, a.atttypmod) AS type,
            format_type(coalesce(nullif(t.typbasetype, 0), t.oid), -1) AS "baseType",
            a.attnotnull AS "notNull", a.attgenerated <> '' AS generated, a.attidentity <> '' AS identity,
            pg_get_expr(d.adbin, d.adrelid) AS expression
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [table.oid],
  );
  return { schema, name, ...table, columns };
}

/** Runs one statement over the catalog. @throws RelayError `postgres_*` */
export async function query<Row extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } catch (error) {
    throw postgresError(error, 'reading the catalog');
  }
}
