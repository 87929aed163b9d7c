import type pg from 'pg';
import { quoteTable, type TableName } from '../../../src/postgres/identifier.ts';

/** The tables that a workload writes, quoted: the outbox, and the application's own two beside it. */
export interface WorkloadTables {
  readonly outbox: string;
  /** One row a key, with the version of its last event: whose row lock orders the writers of a key. */
  readonly aggregate: string;
  /** One row an event, written in the same transaction as its outbox row and never deleted: what was committed. */
  readonly ledger: string;
}

/** The names of a workload's tables. */
export function workloadTables({ schema, name }: TableName): WorkloadTables {
  return {
    outbox: quoteTable({ schema, name }),
    aggregate: quoteTable({ schema, name: 'aggregate' }),
    ledger: quoteTable({ schema, name: 'ledger' }),
  };
}

/** Makes the application's tables, with all keys; those that are there already stay as they are. */
export async function createWorkloadTables(
  client: pg.Client,
  { aggregate, ledger }: WorkloadTables,
  keys: readonly string[],
): Promise<void> {
  await client.query(`
    CREATE TABLE IF NOT EXISTS ${aggregate} (key text PRIMARY KEY, version integer NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS ${ledger} (id uuid PRIMARY KEY, key text NOT NULL, version integer NOT NULL)`);
  await client.query(`INSERT INTO ${aggregate} (key) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`, [keys]);
}
