import type { Finding } from '../../core/finding.ts';
import { examineApplication, examineTraffic, type RowTraffic } from './deletions.ts';
import { readEnvelopeSchema } from './envelope-schema.ts';
import { Findings } from './findings.ts';
import { type Formats, readFormats } from './formats.ts';
import { readKafkaSink } from './kafka-sink.ts';
import { explainRest } from './known-settings.ts';
import { readSource } from './postgres-source.ts';
import { readRabbitmqSink } from './rabbitmq-sink.ts';
import { readRouter, type RouterMapping } from './router.ts';
import type { Settings } from './settings.ts';
import type { DebeziumRuntime } from './sources.ts';
import { findRouter } from './transforms.ts';
import type { Reading } from './value.ts';

/** What a configuration of Debezium comes to. */
export interface Migration {
  /** Whether nothing stands in the way: no finding is an error. */
  readonly ok: boolean;
  /** The relay's configuration, as far as it can be said; null when there is no outbox in what was given. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** The outbox table as SQL writes it; null when it is not known. */
  readonly table: string | null;
  /** One for each setting that does not simply become an option. */
  readonly findings: readonly Finding[];
}

/** What is asked of {@link migrateDebezium}. */
export interface MigrationRequest {
  readonly runtime: DebeziumRuntime;
  readonly settings: Settings;
  /** As SQL writes it, where the connector captures several; else undefined. */
  readonly table?: string;
  /** What the database tells of the outbox table; null: it was not asked. */
  readonly traffic: ((table: string) => Promise<RowTraffic>) | null;
}

const DESTINATION = 'broker';

/** Turns a configuration of Debezium's outbox event router into one of the relay, and says of every setting what becomes of it. */
export async function migrateDebezium({ runtime, settings, table, traffic }: MigrationRequest): Promise<Migration> {
  const reading: Reading = { runtime, settings, findings: new Findings() };
  examineApplication(reading);
  const prefix = findRouter(reading);
  const source = readSource(table, reading);
  const router = prefix === null ? null : readRouter(prefix, reading);
  const config = router === null ? null : configOf(runtime, router, source, reading);
  explainRest(reading);
  if (traffic !== null && source.table !== null) examineTraffic(source.table, await traffic(source.table), reading);
  const findings = reading.findings.all;
  return { ok: !findings.some(({ status }) => status === 'error'), config, table: source.table, findings };
}

function configOf(
  runtime: DebeziumRuntime,
  router: RouterMapping,
  { postgres, table }: ReturnType<typeof readSource>,
  reading: Reading,
): Readonly<Record<string, unknown>> {
  const formats = readFormats(runtime, reading);
  checkValue(router, formats, reading);
  const named = formats.value === 'json-with-schema' && Object.keys(router.envelope).length > 0;
  const envelopeSchema = named ? readEnvelopeSchema(table, router, reading) : null;
  const { destination, route } = sinkOf(runtime, router, reading);
  const { nullValue, ...address } = route;
  return {
    postgres,
    table: { ...(table !== null && { name: table }), columns: { position: 'position', ...router.columns } },
    destinations: { [DESTINATION]: destination },
    routes: [
      {
        destination: DESTINATION,
        ...address,
        ...(Object.keys(router.headers).length > 0 && { headers: router.headers }),
        debezium: debeziumSection(router, { ...formats, envelopeSchema }, nullValue),
      },
    ],
    ...(router.tracingColumn !== null && { tracing: { enabled: true, column: router.tracingColumn } }),
  };
}

interface RouteParts {
  readonly topic?: string;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly rewrite?: RouterMapping['rewrite'];
  readonly partition?: string;
  /** Of the section `debezium`. */
  readonly nullValue?: string;
}

function sinkOf(runtime: DebeziumRuntime, router: RouterMapping, reading: Reading) {
  const { settings, findings } = reading;
  const { topic, rewrite, partition } = router;
  const type = runtime === 'connect' ? 'kafka' : (settings.text('sink.type') ?? '').toLowerCase();
  const rewritten = (rule: RouterMapping['rewrite']): RouteParts => (rule === null ? {} : { rewrite: rule });
  if (type === 'rabbitmq') {
    const { destination, exchange, routingKey, nullValue, ...sink } = readRabbitmqSink(router, reading);
    const route: RouteParts = { exchange, routingKey, ...rewritten(sink.rewrite), nullValue };
    return { destination, route };
  }
  if (type !== 'kafka')
    findings.error(
      settings.nameOf('sink.type'),
      type === '' ? 'it is not said where messages go' : `the relay does not publish to ${type}`,
      'The relay publishes to Kafka and RabbitMQ: keep Debezium for other sinks.',
    );
  const route: RouteParts = { topic, ...rewritten(rewrite) };
  if (partition === null || runtime === 'connect')
    return { destination: readKafkaSink(reading), route: partition === null ? route : { ...route, partition } };
  findings.warning(
    'table.fields.additional.placement',
    'the Kafka sink of Debezium Server leaves the placement `partition` out: the key decides, here as there',
    `Where that is not what you want, add partition: '${partition}' to the route.`,
  );
  return { destination: readKafkaSink(reading), route };
}

/** What has no form but JSON. */
function checkValue({ envelope, expandJson }: RouterMapping, { value }: Formats, { findings }: Reading): void {
  if (value !== 'plain') return;
  if (Object.keys(envelope).length > 0)
    findings.error(
      'table.fields.additional.placement',
      'an envelope is written by Java here (Struct{payload=..}), which the relay does not write',
      'Place the columns as headers, or switch to JsonConverter first.',
    );
  if (expandJson)
    findings.error(
      'table.expand.json.payload',
      'an expanded payload is written by Java here (Struct{..}), which the relay does not write',
      'Take the option out, so that the payload is sent as it is, or switch to JsonConverter first.',
    );
}

function debeziumSection(
  router: RouterMapping,
  { envelopeSchema, ...formats }: Formats & { readonly envelopeSchema: string | null },
  nullValue: string | undefined,
): object {
  const { envelope, expandJson, expandedNulls, tombstoneOnEmpty } = router;
  return {
    ...formats,
    ...(expandJson && { expandJson, expandedNulls }),
    ...(Object.keys(envelope).length > 0 && { envelope }),
    ...(envelopeSchema !== null && { envelopeSchema }),
    ...(tombstoneOnEmpty && { tombstoneOnEmpty }),
    ...(nullValue !== undefined && { nullValue }),
  };
}
