/** Configurations of Debezium, and what the command makes of them. */
import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { Finding } from '../../src/core/finding.ts';
import { migrateDebezium, type Migration } from '../../src/migrate/debezium/migrate.ts';
import { connectSettings, serverSettings } from '../../src/migrate/debezium/sources.ts';
import { load } from './config-support.ts';

/** Of a Debezium Server: converters for texts and JSON without schemas. */
export const SERVER = `
debezium.source.connector.class=io.debezium.connector.postgresql.PostgresConnector
debezium.source.database.hostname=db.example
debezium.source.database.port=5433
debezium.source.database.user=relay
debezium.source.database.password=hunter2
debezium.source.database.dbname=shop
debezium.source.table.include.list=public\\\\.outbox
debezium.source.slot.name=debezium
debezium.transforms=outbox
debezium.transforms.outbox.type=io.debezium.transforms.outbox.EventRouter
debezium.format.key=simplestring
debezium.format.value=json
debezium.format.header=json
debezium.format.schemas.enable=false
`;
/** Says nothing of formats. */
export const UNTOLD = SERVER.replaceAll(/^debezium[.]format.*\n/gm, '');
export const KAFKA = `debezium.sink.type=kafka
debezium.sink.kafka.producer.bootstrap.servers=PLAINTEXT://k1:9092,k2:9092
`;
/** Of a connector, for texts and bytes. */
export const CONVERTERS = {
  'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
  'value.converter': 'io.debezium.converters.ByteBufferConverter',
};

type Request = Omit<Parameters<typeof migrateDebezium>[0], 'runtime' | 'settings'>;

export function server(text: string, request: Partial<Request> = {}): Promise<Migration> {
  const settings = serverSettings([{ name: 'application.properties', text }]);
  return migrateDebezium({ runtime: 'server', settings, traffic: null, ...request });
}

export function connect(config: object, worker = ''): Promise<Migration> {
  const text = JSON.stringify({ name: 'outbox', config: { 'connector.class': 'PostgresConnector', ...config } });
  const settings = connectSettings({ name: 'connector.json', text }, [{ name: 'worker.properties', text: worker }]);
  return migrateDebezium({ runtime: 'connect', settings, traffic: null });
}

/** Of a connector. */
export const ROUTER = {
  'database.hostname': 'db',
  'database.user': 'u',
  'database.dbname': 'd',
  'table.include.list': 'public.outbox',
  transforms: 'o',
  'transforms.o.type': 'io.debezium.transforms.outbox.EventRouter',
};

export const subjects = ({ findings }: Migration, status: Finding['status']): readonly string[] =>
  findings.filter((finding) => finding.status === status).map(({ subject }) => subject);

type Route = Readonly<Record<string, unknown>>;

/** The only route of the result; and the whole is a configuration that the relay takes, without a warning. */
export function routeOf({ config }: Migration, env: Readonly<Record<string, string>> = {}): Route {
  const variables = { DATABASE_PASSWORD: 'x', KAFKA_BROKERS: 'k:1', RABBITMQ_PASSWORD: 'x', ...env };
  expect(load(stringify(config), variables).warnings).toEqual([]);
  return (config as { routes: readonly Route[] }).routes[0]!;
}
