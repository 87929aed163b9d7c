import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { configureDebezium, debeziumCommand, kafkaSink, propertiesText } from '../debezium-server.ts';
import { spawnService, type ServiceProcess } from '../services/child-process.ts';
import { removeScratchFolder, scratchFolder } from '../services/scratch.ts';
import type { CaseFormat, DebeziumCase } from './cases.ts';

/** In a time zone of its own: nothing that is sent goes by it. */
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Duser.timezone=Asia/Tokyo'];
const ROUTER = 'io.debezium.transforms.outbox.EventRouter';
const BYTES = 'org.apache.kafka.common.serialization.ByteArraySerializer';
const CONVERTERS = 'org.apache.kafka.connect.storage';

/** Where a server reads and publishes. */
export interface CaseServerOptions {
  readonly databaseUrl: string;
  readonly publication: string;
  /** Of its slot, which must be there. */
  readonly name: string;
  readonly cases: readonly DebeziumCase[];
  readonly format: CaseFormat;
  /** In full names. */
  readonly sink: Readonly<Record<string, string>>;
  /** What the topics of a case begin with. */
  readonly topicsOf: (one: DebeziumCase) => string;
}

/**
 * How a server is told to write: `plain` by the converters that Kafka Connect has for texts and bytes, which a server takes
 * by their class; `untold`, as it writes when nobody has said anything.
 */
const FORMATS: Readonly<Record<CaseFormat, Readonly<Record<string, string>>>> = {
  plain: {
    'debezium.format.key': 'simplestring',
    'debezium.format.value': 'jsonbytearray',
    'debezium.format.value.class': 'io.debezium.converters.BinaryDataConverter',
    'debezium.format.value.delegate.converter.type': `${CONVERTERS}.StringConverter`,
    'debezium.format.header': 'json',
    'debezium.format.header.class': `${CONVERTERS}.SimpleHeaderConverter`,
  },
  json: {
    'debezium.format.key': 'json',
    'debezium.format.value': 'json',
    'debezium.format.header': 'json',
    'debezium.format.schemas.enable': 'false',
  },
  untold: {},
};

/** The sink of a server for Kafka; topics by the options of the transforms. */
export function caseKafkaSink(brokers: string, format: CaseFormat): Record<string, string> {
  const value = format === 'plain' ? { 'debezium.sink.kafka.producer.value.serializer': BYTES } : {};
  return { ...kafkaSink(brokers.split(','), ''), ...value };
}

/** The sink of a server for RabbitMQ, with topics for routing keys. */
export function caseRabbitmqSink(url: string, exchange: string): Record<string, string> {
  const { hostname, port, username, password } = new URL(url);
  return {
    'debezium.sink.type': 'rabbitmq',
    'debezium.sink.rabbitmq.connection.host': hostname,
    'debezium.sink.rabbitmq.connection.port': port,
    'debezium.sink.rabbitmq.connection.username': username || 'guest',
    'debezium.sink.rabbitmq.connection.password': password || 'guest',
    'debezium.sink.rabbitmq.exchange': exchange,
    'debezium.sink.rabbitmq.routingKeyFromTopicName': 'true',
  };
}

/** The properties that somebody with this case alone would have. */
export function caseProperties(options: CaseServerOptions, one: DebeziumCase): string {
  const { databaseUrl, name, sink, format, topicsOf } = options;
  const { hostname, port, pathname, username } = new URL(databaseUrl);
  return propertiesText({
    ...sink,
    'debezium.source.connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'debezium.source.database.hostname': hostname,
    'debezium.source.database.port': port,
    'debezium.source.database.user': username,
    'debezium.source.database.dbname': pathname.slice(1),
    'debezium.source.topic.prefix': name,
    'debezium.source.table.include.list': `public.${one.name}`,
    'debezium.transforms': 'outbox',
    ...transform('outbox', one, topicsOf(one)),
    ...FORMATS[format],
  });
}

/** Starts one server for all cases: each table has a transform of its own. */
export async function startCaseServer(options: CaseServerOptions): Promise<ServiceProcess> {
  const { databaseUrl, publication, name, cases, format, sink, topicsOf } = options;
  const { hostname, port, pathname, username } = new URL(databaseUrl);
  const folder = await scratchFolder('debezium');
  const names = cases.map((one) => one.name);
  const transforms = {
    'debezium.transforms': names.join(','),
    'debezium.predicates': names.join(','),
    ...Object.fromEntries(cases.flatMap((one) => Object.entries(predicated(one, topicsOf(one))))),
  };
  const place = {
    ...{ host: hostname, port: Number(port), database: pathname.slice(1), user: username, password: 'none' },
    ...{ table: cases.map((one) => `public.${one.name}`).join(','), publication, name },
    sink: { ...sink, ...transforms },
    formats: FORMATS[format],
  };
  await configureDebezium(place, folder, {});
  const { command, args } = await debeziumCommand(JVM);
  const server = await spawnService(command, args, { logFile: join(folder, 'debezium.log'), cwd: folder });
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(`--- log of Debezium\n${await server.output()}`);
    await server.killTree();
    await removeScratchFolder(folder);
  });
  return server;
}

function transform(name: string, { router, group }: DebeziumCase, topics: string): Record<string, string> {
  const options = {
    type: ROUTER,
    'route.topic.replacement': `${topics}\${${group ?? 'routedByValue'}}`,
    ...router,
  };
  return Object.fromEntries(
    Object.entries(options).map(([option, value]) => [`debezium.transforms.${name}.${option}`, value]),
  );
}

function predicated(one: DebeziumCase, topics: string): Record<string, string> {
  return {
    ...transform(one.name, one, topics),
    [`debezium.transforms.${one.name}.predicate`]: one.name,
    [`debezium.predicates.${one.name}.type`]: 'org.apache.kafka.connect.transforms.predicates.TopicNameMatches',
    [`debezium.predicates.${one.name}.pattern`]: `.*[.]public[.]${one.name}`,
  };
}
