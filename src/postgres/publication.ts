import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import type { TableShard } from '../core/sharding.ts';
import { type CatalogTable, query } from './catalog.ts';
import { derivedName, quoteIdentifier, quoteTable, type TableName } from './identifier.ts';
import { shardFilter } from './shard-filter.ts';

/** From this version on publications have row filters. */
export const VERSION_WITH_ROW_FILTERS = 150_000;

/** What a publication can publish. */
type PublishedOperation = 'insert' | 'update' | 'delete' | 'truncate';

/** A publication as far as it concerns the outbox table. */
export interface PublicationState {
  readonly name: string;
  readonly exists: boolean;
  readonly publishes: readonly PublishedOperation[];
  readonly viaRoot: boolean;
  /** Whether the table's rows are in it, under the table's own name or (without via root) its partitions'. */
  readonly covers: boolean;
  /** The conditions that rows must meet, as Postgres prints them; null among them: a table without any. */
  readonly rowFilters: readonly (string | null)[];
  /** What {@link rowFilters} should be: null before 15, and where the outbox has one shard. */
  readonly wantedFilter: string | null;
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
  exists: boolean;
  viaroot: boolean;
  publishes: PublishedOperation[];
  listed: { is_root: boolean; rowfilter: string | null; attnames: string[] | null }[];
  leaves: number;
  version: number;
  shard_column: string | null;
}

/**
 * @param shard whose rows the publication is for; null: all
 * @throws RelayError `postgres_*`
 */
export async function readPublication(
  client: pg.Client,
  name: string,
  table: CatalogTable,
  shard: TableShard | null = null,
): Promise<PublicationState> {
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
     SELECT p.oid IS NOT NULL AS exists, coalesce(p.pubviaroot, false) AS viaroot,
            array_remove(ARRAY[CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
              CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END], NULL) AS publishes,
            (SELECT coalesce(jsonb_agg(listed), '[]') FROM listed) AS listed,
            (SELECT count(*)::int FROM tree WHERE oid <> $2::oid) AS leaves,
            current_setting('server_version_num')::int AS version, quote_ident($3) AS shard_column
     FROM (VALUES (1)) always LEFT JOIN pg_publication p ON p.pubname = $1`,
    [name, table.oid, shard?.column.name ?? null],
  );
  if (row === undefined) throw new RelayError('internal', 'looking for a publication returned nothing');
  const { listed } = row;
  const leaves = listed.filter((entry) => !entry.is_root).length;
  const hides = (column: string): boolean =>
    listed.some(({ attnames }) => attnames !== null && !attnames.includes(column));
  return {
    name,
    exists: row.exists,
    publishes: row.publishes,
    viaRoot: row.viaroot,
    covers: listed.some((entry) => entry.is_root) || (!row.viaroot && row.leaves > 0 && leaves === row.leaves),
    rowFilters: [...new Set(listed.map((entry) => entry.rowfilter))],
    wantedFilter: wantedFilter(shard, row.version, row.shard_column),
    hiddenColumns: table.columns
      .filter((column) => !column.generated && hides(column.name))
      .map(({ name: hidden }) => hidden),
  };
}

/**
 * The row filter that a publication must have, as Postgres prints it; null: none, since the outbox has one shard or the
 * server knows no filters, and the relay filters by itself.
 *
 * @param column as `quote_ident()` prints it
 */
export function wantedFilter(shard: TableShard | null, version: number, column: string | null): string | null {
  return shard === null || column === null || version < VERSION_WITH_ROW_FILTERS ? null : shardFilter(shard, column);
}

/**
 * The publication of a shard: `outbox_relay` where there is one, else `outbox_relay_0_of_4`. Another number of shards has other
 * publications, so that they can be made while relays go on with the old ones.
 */
export function shardPublication(publication: string, shard: number, shards: number): string {
  return shards === 1 ? publication : derivedName(publication, `_${shard}_of_${shards}`);
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
        sql: createPublication(state.name, table, state.wantedFilter),
      },
    ];
  const defects: PublicationDefect[] = [];
  const partitioned = table.kind === 'p';
  const listing = state.wantedFilter === null ? outbox : `${outbox} WHERE ${state.wantedFilter}`;
  if (!state.covers) {
    defects.push({
      aspect: 'covers',
      message: `publication ${state.name} does not cover ${table.schema}.${table.name}`,
      sql: `ALTER PUBLICATION ${publication} ADD TABLE ${listing};`,
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
  const anew = `ALTER PUBLICATION ${publication} DROP TABLE ${outbox};\nALTER PUBLICATION ${publication} ADD TABLE ${listing};`;
  const hidden = needed.filter((column) => state.hiddenColumns.includes(column));
  if (state.rowFilters.some((filter) => filter !== state.wantedFilter)) {
    const message = `publication ${state.name} has ${state.wantedFilter === null ? 'a row filter' : 'not the row filter of its shard'}`;
    defects.push({ aspect: 'row_filter', message, sql: anew });
  }
  if (hidden.length > 0) {
    const message = `the column list of publication ${state.name} leaves out ${hidden.join(', ')}`;
    defects.push({ aspect: 'column_list', message, sql: anew });
  }
  return defects;
}

/**
 * Inserts only: the relay's own deletes would be sent back to it. Via the partition root, so that rows of partitions
 * arrive under the name of the configured table; for other tables it changes nothing.
 *
 * @param filter a condition in parentheses that rows must meet. @default all rows
 */
export function createPublication(name: string, table: TableName, filter: string | null = null): string {
  const where = filter === null ? '' : ` WHERE ${filter}`;
  return `CREATE PUBLICATION ${quoteIdentifier(name)} FOR TABLE ${quoteTable(table)}${where} WITH (publish = 'insert', publish_via_partition_root = true);`;
}
