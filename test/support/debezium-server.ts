import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debeziumDistribution } from './services/debezium-distribution.ts';

const STRINGS = 'org.apache.kafka.common.serialization.StringSerializer';

/** What a Debezium Server reads, and where it goes. */
export interface DebeziumPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Schema and name. */
  readonly table: string;
  readonly publication: string;
  /** Of its slot, which must be there when it starts: it reads what was written since. */
  readonly name: string;
  /** Of {@link kafkaSink} or {@link rabbitmqSink}. */
  readonly sink: Readonly<Record<string, string>>;
  /** How key, value and headers are written, in full names. @default texts as they are, headers as JSON */
  readonly formats?: Readonly<Record<string, string>>;
}

/**
 * Configures a Debezium Server in its usual set-up: outbox event router, permanent slot, rows stay in the table.
 *
 * @param folder gets the configuration and the offsets; the server's working folder
 * @param properties win over the others; without `debezium.source.`
 */
export async function configureDebezium(
  place: DebeziumPlace,
  folder: string,
  properties: Readonly<Record<string, string>>,
): Promise<void> {
  const source = { ...sourceProperties(place, folder), ...properties };
  const all = {
    ...Object.fromEntries(Object.entries(source).map(([name, value]) => [`debezium.source.${name}`, value])),
    ...ROUTER,
    ...(place.formats ?? FORMATS),
    ...place.sink,
  };
  const config = join(folder, 'config');
  await mkdir(config);
  await writeFile(join(config, 'application.properties'), propertiesText(all));
}

/** As the file has it: Quarkus would look for a property of the name between brackets; the file itself takes one of the backslashes. */
export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('${', '\\\\${')}\n`)
    .join('');
}

/** How it is started, in the folder that {@link configureDebezium} was given. @throws when it is not to be had */
export async function debeziumCommand(jvm: readonly string[]): Promise<{ command: string; args: readonly string[] }> {
  const { java, classPath } = await debeziumDistribution();
  return { command: java, args: [...jvm, '-cp', `${classPath}:config`, 'io.debezium.server.Main'] };
}

/** Publishes to Kafka. @param topic may hold `${routedByValue}`: the row's `aggregatetype` */
export function kafkaSink(brokers: readonly string[], topic: string): Record<string, string> {
  return {
    'debezium.sink.type': 'kafka',
    'debezium.sink.kafka.producer.bootstrap.servers': brokers.join(','),
    'debezium.sink.kafka.producer.key.serializer': STRINGS,
    'debezium.sink.kafka.producer.value.serializer': STRINGS,
    'debezium.transforms.outbox.route.topic.replacement': topic,
  };
}

/** Publishes to an exchange of RabbitMQ, as its default account. */
export function rabbitmqSink(host: string, port: number, exchange: string, routingKey: string): Record<string, string> {
  return {
    'debezium.sink.type': 'rabbitmq',
    'debezium.sink.rabbitmq.connection.host': host,
    'debezium.sink.rabbitmq.connection.port': String(port),
    'debezium.sink.rabbitmq.connection.username': 'guest',
    'debezium.sink.rabbitmq.connection.password': 'guest',
    'debezium.sink.rabbitmq.exchange': exchange,
    'debezium.sink.rabbitmq.routingKey': routingKey,
  };
}

/** The id of an event as it was written: Debezium's converter of headers puts it in quotes. */
export function plainId(header: string): string {
  return header.replaceAll('"', '');
}

const ROUTER = {
  'debezium.transforms': 'outbox',
  'debezium.transforms.outbox.type': 'io.debezium.transforms.outbox.EventRouter',
  'quarkus.http.port': '0',
};
const FORMATS = {
  'debezium.format.key': 'simplestring',
  'debezium.format.value': 'simplestring',
  'debezium.format.header': 'json',
  'debezium.format.header.schemas.enable': 'false',
};

function sourceProperties(place: DebeziumPlace, folder: string): Record<string, string> {
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'offset.storage.file.filename': join(folder, 'offsets.dat'),
    'database.hostname': place.host,
    'database.port': String(place.port),
    'database.user': place.user,
    'database.password': place.password,
    'database.dbname': place.database,
    'topic.prefix': place.name,
    'plugin.name': 'pgoutput',
    'slot.name': place.name,
    'publication.name': place.publication,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': place.table,
    'snapshot.mode': 'no_data',
    'poll.interval.ms': '10',
  };
}
