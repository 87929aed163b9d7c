import type pg from 'pg';
import { type CatalogTable, query } from './catalog.ts';
import { quoteIdentifier, quoteTable, type TableName } from './identifier.ts';

/** A publication as far as it concerns the outbox table. */
export interface PublicationState {
  readonly name: string;
  readonly exists: boolean;
  readonly publishes: readonly string[];
  readonly viaRoot: boolean;
  /** Whether the table's rows are in it, under the table's own name or (without via root) its partitions'. */
  readonly covers: boolean;
  readonly hasRowFilter: boolean;
  /** Columns that a column list leaves out. */
  readonly hiddenColumns: readonly string[];
}

/** Something about a publication that keeps rows from arriving, and the statements that mend it. */
export interface PublicationDefect {
  readonly aspect: 'exists' | 'covers' | 'inserts' | 'via_root' | 'row_filter' | 'column_list';
  readonly message: string;
  readonly sql: string;
}

interface PublicationRow {
  viaroot: boolean;
  publishes: string[];
  listed: { is_root: boolean; rowfilter: string | null; attnames: string[] | null }[];
  leaves: number;
}

/** @throws RelayError `postgres_*` */
export async function readPublication(client: pg.Client, name: string, table: CatalogTable): Promise<PublicationState> {
  // Versions before 15 know neither row filters nor column lists: to_jsonb leaves them out instead of failing.
  const [row] = await query<PublicationRow>(
    client,
    `WITH tree AS (
       SELECT $2::oid AS oid UNION SELECT relid FROM pg_partition_tree($2::oid) WHERE isleaf
     ), listed AS (
       SELECT tree.oid = $2::oid AS is_root, to_jsonb(t) ->> 'rowfilter' AS rowfilter, to_jsonb(t) -> 'attnames' AS attnames
       FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_publication_tables t ON t.pubname = $1 AND t.schemaname = n.nspname AND t.tablename = c.relname
     )
     SELECT p.pubviaroot AS viaroot,
            array_remove(ARRAY[CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
              CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END], NULL) AS publishes,
            (SELECT coalesce(jsonb_agg(listed), '[]') FROM listed) AS listed,
            (SELECT count(*)::int FROM tree WHERE oid <> $2::oid) AS leaves
     FROM pg_publication p WHERE p.pubname = $1`,
    [name, table.oid],
  );
  if (row === undefined) {
    const nothing = { publishes: [], viaRoot: false, covers: false, hasRowFilter: false, hiddenColumns: [] };
    return { name, exists: false, ...nothing };
  }
  const { listed } = row;
  const leaves = listed.filter((entry) => !entry.is_root).length;
  const hides = (column: string): boolean =>
    listed.some(({ attnames }) => attnames !== null && !attnames.includes(column));
  return {
    name,
    exists: true,
    publishes: row.publishes,
    viaRoot: row.viaroot,
    covers: listed.some((entry) => entry.is_root) || (!row.viaroot && row.leaves > 0 && leaves === row.leaves),
    hasRowFilter: listed.some((entry) => entry.rowfilter !== null),
    hiddenColumns: table.columns
      .filter((column) => !column.generated && hides(column.name))
      .map(({ name: hidden }) => hidden),
  };
}

/**
 * What is wrong with a publication.
 *
 * @param needed the columns that the relay reads
 */
export function publicationDefects(
  state: PublicationState,
  table: CatalogTable,
  needed: readonly string[],
): PublicationDefect[] {
  const publication = quoteIdentifier(state.name);
  const outbox = quoteTable(table);
  if (!state.exists)
    return [
      {
        aspect: 'exists',
        message: `there is no publication ${state.name}`,
        sql: createPublication(state.name, table),
      },
    ];
  const defects: PublicationDefect[] = [];
  const partitioned = table.kind === 'p';
  if (!state.covers) {
    defects.push({
      aspect: 'covers',
      message: `publication ${state.name} does not cover ${table.schema}.${table.name}`,
      sql: `ALTER PUBLICATION ${publication} ADD TABLE ${outbox};`,
    });
  }
  if (!state.publishes.includes('insert')) {
    defects.push({
      aspect: 'inserts',
      message: `publication ${state.name} does not publish inserts`,
      sql: `ALTER PUBLICATION ${publication} SET (publish = '${['insert', ...state.publishes].join(', ')}');`,
    });
  }
  if (partitioned && !state.viaRoot) {
    defects.push({
      aspect: 'via_root',
      message: `publication ${state.name} publishes rows under the names of the partitions`,
      sql: `ALTER PUBLICATION ${publication} SET (publish_via_partition_root = true);`,
    });
  }
  const anew = `ALTER PUBLICATION ${publication} DROP TABLE ${outbox};\nALTER PUBLICATION ${publication} ADD TABLE ${outbox};`;
  const hidden = needed.filter((column) => state.hiddenColumns.includes(column));
  if (state.hasRowFilter)
    defects.push({ aspect: 'row_filter', message: `publication ${state.name} has a row filter`, sql: anew });
  if (hidden.length > 0) {
    const message = `the column list of publication ${state.name} leaves out ${hidden.join(', ')}`;
    defects.push({ aspect: 'column_list', message, sql: anew });
  }
  return defects;
}

/**
 * Inserts only: the relay's own deletes would be sent back to it. Via the partition root, so that rows of partitions
 * arrive under the name of the configured table; for other tables it changes nothing.
 */
export function createPublication(name: string, table: TableName): string {
  return `CREATE PUBLICATION ${quoteIdentifier(name)} FOR TABLE ${quoteTable(table)} WITH (publish = 'insert', publish_via_partition_root = true);`;
}
