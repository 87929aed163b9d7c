import { stringify } from 'yaml';
import { App } from '../../../src/app.ts';
import { type Config, loadConfig } from '../../../src/config/index.ts';
import { migrateDebezium, type Migration } from '../../../src/migrate/debezium/migrate.ts';
import { connectSettings, serverSettings } from '../../../src/migrate/debezium/sources.ts';
import type { Log } from '../../../src/core/log.ts';
import { applyInit } from '../../../src/postgres/init.ts';
import { tableMapping } from '../../../src/app/routes.ts';
import { connectAdmin } from '../outbox.ts';
import { until } from '../services/until.ts';

/** What a server's properties become, by the command's own code. */
export function migrated(properties: string): Promise<Migration> {
  const settings = serverSettings([{ name: 'application.properties', text: properties }]);
  return migrateDebezium({ runtime: 'server', settings, traffic: null });
}

/** What a connector of Kafka Connect becomes. */
export function migratedConnector(config: Readonly<Record<string, string>>): Promise<Migration> {
  const text = JSON.stringify({ name: 'outbox', config: { 'connector.class': 'PostgresConnector', ...config } });
  const settings = connectSettings({ name: 'connector.json', text }, []);
  return migrateDebezium({ runtime: 'connect', settings, traffic: null });
}

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

/** What those who migrate have to set: secrets are not in the configuration. */
const ENVIRONMENT = { RABBITMQ_PASSWORD: 'guest' };

/** The configuration as `run` reads it. @param more goes before what was migrated */
export function loadMigrated({ config }: Migration, more: object = {}): Config {
  const files: Readonly<Record<string, string>> = { migrated: stringify(config), more: JSON.stringify(more) };
  return loadConfig({ file: Object.keys(files), env: ENVIRONMENT, readFile: (name) => files[name] ?? '' });
}

/** Publishes all rows of a table by the relay, with a configuration as it was migrated, and ends it. */
export async function publishByRelay(migration: Migration, databaseUrl: string): Promise<void> {
  const config = loadMigrated(migration, { capture: { mode: 'polling', pollInterval: '50ms' }, admin: { port: 0 } });
  const mapping = tableMapping(config);
  const admin = await connectAdmin(databaseUrl);
  const stop = new AbortController();
  try {
    await applyInit(admin, { mapping, payload: 'jsonb', relayRole: null, writerRole: null, publication: null }, true);
    const app = new App({ config, log: SILENT, version: '0' });
    const running = app.run(stop.signal, stop.signal);
    const isEmpty = async (): Promise<boolean> => {
      const { rows } = await admin.query(`SELECT FROM ${mapping.schema}.${mapping.name} LIMIT 1`);
      return rows.length === 0;
    };
    await Promise.race([running, until(isEmpty, { what: `${mapping.name} to be empty`, everyMs: 50 })]);
    stop.abort();
    await running;
  } finally {
    stop.abort();
    await admin.end();
  }
}
