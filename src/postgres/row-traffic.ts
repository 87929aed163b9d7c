import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { query } from './catalog.ts';
import { quoteTable, type TableName } from './identifier.ts';

/** What has happened to a table since its statistics began. */
export interface RowTraffic {
  readonly inserted: number;
  readonly deleted: number;
  /** Whether it has no row now. */
  readonly empty: boolean;
}

/**
 * Reads the statistics of a table. Rows that are deleted in the transaction that inserts them count as both.
 *
 * @throws RelayError `postgres_schema` when it is not there; `postgres_*` else
 */
export async function rowTraffic(client: pg.Client, table: TableName): Promise<RowTraffic> {
  const [found] = await query<{ inserted: string; deleted: string }>(
    client,
    `SELECT n_tup_ins AS inserted, n_tup_del AS deleted FROM pg_stat_user_tables
     WHERE schemaname = $1 AND relname = $2`,
    [table.schema, table.name],
  );
  if (found === undefined)
    throw new RelayError('postgres_schema', `there is no table ${table.schema}.${table.name}`, {
      remedy: 'Name the outbox with --table schema.table, and its database with --url.',
    });
  const [state] = await query<{ empty: boolean }>(client, `SELECT NOT EXISTS (TABLE ${quoteTable(table)}) AS empty`);
  return { inserted: Number(found.inserted), deleted: Number(found.deleted), empty: state?.empty === true };
}
