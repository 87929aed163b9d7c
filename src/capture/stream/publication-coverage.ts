import { RelayError } from '../../core/errors.ts';
import type { TableShard } from '../../core/sharding.ts';
import type { OutboxTable } from '../../core/table.ts';
import { quoteIdentifier, quoteTable } from '../../postgres/identifier.ts';
import { createPublication, wantedFilter } from '../../postgres/publication.ts';
import type { SqlSession } from '../../postgres/session.ts';

/** A publication, and what it is to bring. */
export interface Published {
  readonly publication: string;
  readonly table: OutboxTable;
  /** Only its rows; null: all. */
  readonly shard: TableShard | null;
}

interface Coverage {
  readonly exists: boolean;
  readonly inserts: boolean;
  readonly covered: boolean;
  /** The row filter, as Postgres prints it; null: none. */
  readonly filter: string | null;
  /** The shard column, as Postgres prints it; null where there is one shard. */
  readonly shard_column: string | null;
  readonly encoding: string;
  /** The published columns; null before 15, which publishes all. */
  readonly columns: readonly string[] | null;
  readonly generated: readonly string[];
  readonly version: number;
}

/** From here on a publication may include generated columns, and `attnames` tells. */
const VERSION_PUBLISHING_GENERATED = 180_000;

/**
 * Makes sure that the publication exists and carries all inserts of the shard into the table, with all columns that are
 * read. From Postgres 18 on a publication that is missing is no error for a walsender: it sends nothing. One statement,
 * since it is asked again every few seconds; `outbox-relay check` examines more.
 *
 * @returns whether rows of other shards come as well: Postgres 14 knows no row filters
 * @throws RelayError `replication_publication`, with the statement that mends it
 */
export async function assertPublished(session: SqlSession, published: Published): Promise<boolean> {
  const { publication, table, shard } = published;
  const [coverage] = await session.query<Coverage>('examining the publication', {
    text: `SELECT p.oid IS NOT NULL AS exists,
            coalesce(p.pubinsert, false) AS inserts,
            t.tablename IS NOT NULL AS covered,
            to_jsonb(t) ->> 'rowfilter' AS filter,
            NULLIF(to_jsonb(t) -> 'attnames', 'null') AS columns,
            ARRAY(SELECT a.attname::text
                    FROM pg_attribute a
                    JOIN pg_class c ON c.oid = a.attrelid
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = $2 AND c.relname = $3 AND a.attgenerated <> '') AS generated,
            quote_ident($4) AS shard_column,
            current_setting('server_encoding') AS encoding,
            current_setting('server_version_num')::int AS version
       FROM (VALUES (1)) always
       LEFT JOIN pg_publication p ON p.pubname = $1
       LEFT JOIN pg_publication_tables t ON t.pubname = p.pubname AND t.schemaname = $2 AND t.tablename = $3`,
    values: [publication, table.schema, table.name, shard?.column.name ?? null],
  });
  if (coverage === undefined) throw new RelayError('internal', 'examining the publication returned nothing');
  const fault = faultOf(coverage, published);
  if (fault === null) return shard !== null && coverage.filter === null;
  throw new RelayError('replication_publication', `publication ${publication}: ${fault.problem}`, {
    remedy: fault.remedy,
  });
}

interface Fault {
  readonly problem: string;
  readonly remedy: string;
}

function faultOf(coverage: Coverage, { publication, table, shard }: Published): Fault | null {
  const name = quoteIdentifier(publication);
  const filter = wantedFilter(shard, coverage.version, coverage.shard_column);
  const target = quoteTable(table);
  const listing = filter === null ? target : `${target} WHERE ${filter}`;
  if (!coverage.exists) return { problem: 'does not exist', remedy: createPublication(publication, table, filter) };
  if (!coverage.inserts) {
    return { problem: 'leaves inserts out', remedy: `ALTER PUBLICATION ${name} SET (publish = 'insert');` };
  }
  if (!coverage.covered) {
    return {
      problem: `does not cover ${target}`,
      remedy: `ALTER PUBLICATION ${name} ADD TABLE ${listing}; and where the table is partitioned: ALTER PUBLICATION ${name} SET (publish_via_partition_root = true);`,
    };
  }
  const anew = `ALTER PUBLICATION ${name} DROP TABLE ${target}; ALTER PUBLICATION ${name} ADD TABLE ${listing};`;
  if (coverage.filter !== filter) {
    const found = filter === null ? 'a row filter' : `not the row filter of shard ${shard?.shard ?? 0}`;
    return { problem: `has ${found} for ${target}`, remedy: anew };
  }
  if (shard !== null && filter === null && coverage.encoding !== 'UTF8') {
    const problem = `has rows of all shards, which the relay tells apart in databases of encoding UTF8 only, and this one is ${coverage.encoding}`;
    return { problem, remedy: 'Upgrade to Postgres 15, which filters rows itself, or set capture.mode: polling.' };
  }
  const unpublished = unpublishedColumns(coverage, table);
  if (unpublished.length === 0) return null;
  return {
    problem: `leaves columns of ${target} out that the relay reads: ${unpublished.join(', ')}`,
    remedy: `${anew} generated columns are published from Postgres 18 on, with (publish_generated_columns = stored).`,
  };
}

function unpublishedColumns({ columns, generated, version }: Coverage, table: OutboxTable): readonly string[] {
  const read = new Set([table.position, table.id, ...table.reads].map(({ name }) => name));
  const hidden = version < VERSION_PUBLISHING_GENERATED ? new Set(generated) : new Set<string>();
  return [...read].filter((name) => hidden.has(name) || columns?.includes(name) === false);
}
