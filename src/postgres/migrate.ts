import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { query, readCatalogTable } from './catalog.ts';
import {
  companionTables,
  derivedName,
  quoteIdentifier,
  quoteLiteral,
  quoteTable,
  type TableName,
} from './identifier.ts';

/** Types that the payload column may have. */
export const PAYLOAD_TYPES = ['jsonb', 'json', 'text', 'bytea'] as const;
export type PayloadType = (typeof PAYLOAD_TYPES)[number];

/** A numbered file in `sql/`. */
interface Migration {
  readonly version: number;
  readonly file: string;
  /** What it makes or alters: when that is missing the file runs again, whatever is recorded. */
  readonly creates: 'outbox' | 'schemaVersion' | 'parked' | 'lease' | 'published';
}

/** All migrations in order; a new one goes to the end. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, file: '001-schema-version.sql', creates: 'schemaVersion' },
  { version: 2, file: '002-outbox.sql', creates: 'outbox' },
  { version: 3, file: '003-parked.sql', creates: 'parked' },
  { version: 4, file: '004-lease.sql', creates: 'lease' },
  { version: 5, file: '005-published.sql', creates: 'published' },
  { version: 6, file: '006-shards.sql', creates: 'lease' },
];

/** The version that this relay works with. */
export const LATEST_VERSION = Math.max(...MIGRATIONS.map(({ version }) => version));

/** Beside `src/` in a checkout and beside `dist/` in the package. */
export const SQL_FOLDER = new URL('../../sql/', import.meta.url);

/** A migration that has not been applied, ready to run. */
export interface PendingMigration {
  readonly version: number;
  /** For instance `003-parked`. */
  readonly name: string;
  /** The file with its names filled in, and the record of it. */
  readonly sql: string;
}

/** How far the relay's own tables are. */
export interface SchemaState {
  /** In order; empty when everything is up to date. */
  readonly pending: readonly PendingMigration[];
  /** The highest recorded version; above the last of {@link MIGRATIONS} when a newer relay has been here. 0: none. */
  readonly version: number;
}

/**
 * Finds out which migrations are still to be applied.
 *
 * @param payload the type of the payload column, should the outbox table be made
 * @throws RelayError `postgres_*`
 */
export async function schemaState(
  client: pg.Client,
  table: TableName,
  payload: PayloadType = 'jsonb',
): Promise<SchemaState> {
  const names = { outbox: table, ...companionTables(table) };
  const there = new Set<Migration['creates']>();
  for (const { creates } of MIGRATIONS) {
    if ((await readCatalogTable(client, names[creates])) !== null) there.add(creates);
  }
  const recorded = there.has('schemaVersion') ? await recordedVersions(client, names.schemaVersion) : [];
  const pending: PendingMigration[] = [];
  for (const migration of MIGRATIONS) {
    if (recorded.includes(migration.version) && there.has(migration.creates)) continue;
    // An outbox table that is there, whoever made it, is taken as it is.
    const adopted = migration.creates === 'outbox' && there.has('outbox');
    pending.push(await renderMigration(migration, table, payload, adopted));
  }
  return { pending, version: Math.max(0, ...recorded) };
}

async function recordedVersions(client: pg.Client, schemaVersion: TableName): Promise<number[]> {
  const rows = await query<{ version: number }>(client, `SELECT version FROM ${quoteTable(schemaVersion)}`);
  return rows.map((row) => row.version);
}

async function renderMigration(
  { version, file }: Migration,
  table: TableName,
  payload: PayloadType,
  adopted: boolean,
): Promise<PendingMigration> {
  const { parked, lease, published, schemaVersion } = companionTables(table);
  const name = file.replace(/\.sql$/, '');
  const body = adopted
    ? ''
    : fillIn(await readFile(new URL(file, SQL_FOLDER), 'utf8'), {
        outbox: quoteTable(table),
        parked: quoteTable(parked),
        lease: quoteTable(lease),
        published: quoteTable(published),
        schema_version: quoteTable(schemaVersion),
        parked_key_index: quoteIdentifier(derivedName(parked.name, '_key_idx')),
        published_at_index: quoteIdentifier(derivedName(published.name, '_at_idx')),
        payload_type: payload,
      });
  const record = `INSERT INTO ${quoteTable(schemaVersion)} (version, name) VALUES (${version}, ${quoteLiteral(name)}) ON CONFLICT (version) DO NOTHING;`;
  return { version, name, sql: body + record };
}

/**
 * Replaces `{{placeholder}}`s by SQL texts, and drops the comments that begin a line.
 *
 * @throws RelayError `internal` for a placeholder without a value
 */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/^--.*\n/gm, '').replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new RelayError('internal', `no value for {{${name}}} in an SQL file`);
    return value;
  });
}
