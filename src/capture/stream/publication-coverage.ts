import { RelayError } from '../../core/errors.ts';
import type { OutboxTable } from '../../core/table.ts';
import { quoteIdentifier, quoteTable } from '../../postgres/identifier.ts';
import { createPublication } from '../../postgres/publication.ts';
import type { SqlSession } from '../../postgres/session.ts';

interface Coverage {
  readonly inserts: boolean;
  readonly covered: boolean;
  readonly filtered: boolean;
  /** The published columns; null before 15, which publishes all. */
  readonly columns: readonly string[] | null;
  readonly generated: readonly string[];
  readonly version: number;
}

/** From here on a publication may include generated columns, and `attnames` tells. */
const VERSION_PUBLISHING_GENERATED = 180_000;

/**
 * Makes sure that the publication exists and carries all inserts into the table, with all columns that are read. From
 * Postgres 18 on a publication that is missing is no error for a walsender: it sends nothing. One statement, since it is
 * asked again every few seconds; `outbox-relay check` examines more.
 *
 * @throws RelayError `replication_publication`, with the statement that mends it
 */
export async function assertPublished(session: SqlSession, table: OutboxTable, publication: string): Promise<void> {
  const [coverage] = await session.query<Coverage>('examining the publication', {
    text: `SELECT p.pubinsert AS inserts,
            t.tablename IS NOT NULL AS covered,
            to_jsonb(t) ->> 'rowfilter' IS NOT NULL AS filtered,
            NULLIF(to_jsonb(t) -> 'attnames', 'null') AS columns,
            ARRAY(SELECT a.attname::text
                    FROM pg_attribute a
                    JOIN pg_class c ON c.oid = a.attrelid
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = $2 AND c.relname = $3 AND a.attgenerated <> '') AS generated,
            current_setting('server_version_num')::int AS version
       FROM pg_publication p
       LEFT JOIN pg_publication_tables t ON t.pubname = p.pubname AND t.schemaname = $2 AND t.tablename = $3
      WHERE p.pubname = $1`,
    values: [publication, table.schema, table.name],
  });
  const fault = faultOf(coverage, table, publication);
  if (fault === null) return;
  throw new RelayError('replication_publication', `publication ${publication}: ${fault.problem}`, {
    remedy: fault.remedy,
  });
}

interface Fault {
  readonly problem: string;
  readonly remedy: string;
}

function faultOf(coverage: Coverage | undefined, table: OutboxTable, publication: string): Fault | null {
  const name = quoteIdentifier(publication);
  const target = quoteTable(table);
  if (coverage === undefined) {
    return { problem: 'does not exist', remedy: createPublication(publication, table) };
  }
  if (!coverage.inserts) {
    return { problem: 'leaves inserts out', remedy: `ALTER PUBLICATION ${name} SET (publish = 'insert');` };
  }
  if (!coverage.covered) {
    return {
      problem: `does not cover ${target}`,
      remedy: `ALTER PUBLICATION ${name} ADD TABLE ${target}; and where the table is partitioned: ALTER PUBLICATION ${name} SET (publish_via_partition_root = true);`,
    };
  }
  const anew = `ALTER PUBLICATION ${name} DROP TABLE ${target}; ALTER PUBLICATION ${name} ADD TABLE ${target};`;
  if (coverage.filtered) return { problem: `has a row filter for ${target}`, remedy: anew };
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
