import { readFileSync } from 'node:fs';
import { parseConnection, parseTable } from '../config/index.ts';
import { RelayError } from '../core/errors.ts';
import { migrateDebezium, type Migration } from '../migrate/debezium/migrate.ts';
import { connectSettings, serverSettings, type SourceFile } from '../migrate/debezium/sources.ts';
import { closeConnection, connectSql } from '../postgres/connection.ts';
import { rowTraffic, type RowTraffic } from '../postgres/row-traffic.ts';

/** What `outbox-relay migrate debezium` is asked: either properties, or a connector. */
export interface DebeziumFiles {
  /** Files of a Debezium Server. */
  readonly properties: readonly string[];
  /** A connector of Kafka Connect, as JSON. */
  readonly connect?: string;
  /** Properties of its worker. */
  readonly worker: readonly string[];
  readonly table?: string;
  /** Where to look how rows come and go. */
  readonly url?: string;
}

/** Turns Debezium's configuration into the relay's. @throws RelayError for files that cannot be read, `postgres_*` */
export async function migrateFromDebezium(files: DebeziumFiles): Promise<Migration> {
  const { connect, table, url } = files;
  const settings =
    connect === undefined
      ? serverSettings(files.properties.map(readSource))
      : connectSettings(readSource(connect), files.worker.map(readSource));
  return migrateDebezium({
    runtime: connect === undefined ? 'server' : 'connect',
    settings,
    ...(table !== undefined && { table }),
    traffic: url === undefined ? null : (name) => lookAt(url, name),
  });
}

async function lookAt(url: string, table: string): Promise<RowTraffic> {
  const client = await connectSql(parseConnection(url, { env: process.env, readFile: readText }), 'check');
  try {
    return await rowTraffic(client, parseTable(table));
  } finally {
    await closeConnection(client);
  }
}

function readSource(name: string): SourceFile {
  try {
    return { name, text: readText(name) };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new RelayError('config_invalid', `cannot read ${name} (${reason})`, { remedy: 'Name a file that is there.' });
  }
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
