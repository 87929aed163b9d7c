import { afterEach, expect, it, vi } from 'vitest';
import type { Attributes } from '../support/otlp/spans.ts';
import { type OtlpReceiver, otlpOverGrpc, otlpOverHttp } from '../support/otlp/receiver.ts';
import { headerOf, readTopic, type TopicRecord } from '../support/kafka-reader.ts';
import { declareQueue, takeMessages } from '../support/rabbit-reader.ts';
import { type RelayOutbox, relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { HealthClient } from '../support/health-client.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { until } from '../support/services/until.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const SAMPLED = `00-${TRACE}-${SPAN}-01`;
const UNSAMPLED = `00-${TRACE}-${SPAN}-00`;
const TRACEPARENT = /^00-(?<trace>[0-9a-f]{32})-(?<span>[0-9a-f]{16})-01$/;
/** Every package of tracing, and of gRPC, ends the process that loads it. */
const WITHOUT_PACKAGES = preload(`
  export async function resolve(specifier, context, next) {
    if (/^@(opentelemetry|grpc)\\//.test(specifier)) throw new Error('loaded ' + specifier);
    return next(specifier, context);
  }`);

function preload(hooks: string): string {
  const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
  return url(`import { register } from 'node:module'; register(${JSON.stringify(url(hooks))});`);
}

afterEach(() => vi.unstubAllEnvs());

interface Insert {
  readonly key: string;
  readonly headers?: Attributes;
  readonly payload?: string;
}

/** Each in a transaction of its own. */
async function insert({ admin, table }: RelayOutbox, ...rows: readonly Insert[]): Promise<void> {
  for (const { key, headers, payload } of rows) {
    await admin.query(
      `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload, headers) VALUES ('order', $1, 'sent', $2, $3)`,
      [key, JSON.stringify(payload ?? {}), headers === undefined ? null : JSON.stringify(headers)],
    );
  }
}

const http = (collector: Pick<OtlpReceiver, 'endpoint'>) => ({ enabled: true, endpoint: collector.endpoint });

const parsed = (header: string | undefined): { trace: string; span: string } => {
  const groups = TRACEPARENT.exec(header ?? '')?.groups;
  if (groups === undefined) throw new Error(`no sampled traceparent: ${header}`);
  return { trace: groups.trace ?? '', span: groups.span ?? '' };
};

describeWithService('kafka', 'traces of rows that go to Kafka', ({ url: brokers }) => {
  const database = freshDatabase();

  async function recordsByKey(topic: string): Promise<ReadonlyMap<string, TopicRecord>> {
    const records = await readTopic(brokers, topic);
    return new Map(records.map((record) => [record.key?.toString() ?? '', record]));
  }

  it("go from the inserting span over the relay's own to the record's headers, as far as they are sampled", async () => {
    await using collector = await otlpOverHttp();
    const { outbox, topic, config } = await kafkaStage(database.url, brokers, { tracing: http(collector) });
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    const context = { tracestate: 'vendor=1', baggage: 'user=7' };
    await insert(
      outbox,
      { key: 'sampled', headers: { traceparent: SAMPLED, ...context } },
      { key: 'unsampled', headers: { traceparent: UNSAMPLED, ...context } },
      { key: 'malformed', headers: { traceparent: '00-nonsense', tracestate: ',,=' } },
      { key: 'none' },
      { key: 'refused', headers: { traceparent: SAMPLED }, payload: 'x'.repeat(1_200_000) },
    );
    await outbox.untilSize(1);
    await relay.waitFor('one parked row', ({ destinations: [kafka] }) => kafka?.parkedRows === 1);

    const records = await recordsByKey(topic);
    const headers = (key: string) =>
      Object.fromEntries(records.get(key)?.headers.map(([name, value]) => [name, value?.toString()]) ?? []);
    const sampled = parsed(headers('sampled').traceparent);
    expect(sampled.trace).toBe(TRACE);
    expect(sampled.span).not.toBe(SPAN);
    expect(headers('sampled')).toMatchObject(context);
    expect(headers('unsampled')).toMatchObject({ traceparent: UNSAMPLED, ...context });
    expect(headers('malformed')).toMatchObject({ traceparent: '00-nonsense', tracestate: ',,=' });
    const root = parsed(headers('none').traceparent);
    expect(root.trace).not.toBe(TRACE);

    const exposed = await relay.scrape('application/openmetrics-text');
    expect(exposed).toMatch(
      new RegExp(
        `^outbox_relay_end_to_end_seconds_bucket\\{.*# \\{trace_id="${root.trace}",span_id="${root.span}"\\}`,
        'm',
      ),
    );
    expect(await relay.end('SIGTERM')).toBe('exit code 0');

    const spans = new Map(collector.spans.map((span) => [span.spanId, span]));
    expect(spans.get(sampled.span)).toMatchObject({
      traceId: TRACE,
      parentSpanId: SPAN,
      traceState: 'vendor=1',
      name: `create ${topic}`,
      kind: 'producer',
      attributes: {
        'messaging.system': 'kafka',
        'messaging.destination.name': topic,
        'messaging.operation.type': 'create',
        'messaging.message.id': headers('sampled').id,
        'messaging.kafka.message.key': 'sampled',
      },
    });
    expect(spans.get(root.span)).toMatchObject({ traceId: root.trace, parentSpanId: '' });
    const refused = collector.spans.filter(({ attributes }) => attributes['error.type'] === 'message_too_large');
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, status: { code: 2 } });
    expect(collector.spans.filter(({ kind }) => kind === 'producer')).toHaveLength(3);

    const lines = (await relay.log()).split('\n').filter((line) => line.includes('a row is set aside'));
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { trace_id: TRACE, span_id: refused[0]?.spanId, destination: 'kafka', error: { code: 'message_too_large' } },
    ]);
  }, 90_000);

  it('of a row that is published again after a crash have a span of their own, and its dedup key', async () => {
    await using collector = await otlpOverHttp();
    const { outbox, topic, config } = await kafkaStage(database.url, brokers, { tracing: http(collector) });
    const first = await startRelay(config);
    await first.untilState('streaming');
    // published it can be, deleted it cannot
    await outbox.admin.query(
      `CREATE FUNCTION ${outbox.name.schema}.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3600); RETURN OLD; END $$;
       CREATE TRIGGER keep BEFORE DELETE ON ${outbox.table} FOR EACH ROW EXECUTE FUNCTION ${outbox.name.schema}.keep()`,
    );
    await insert(outbox, { key: 'a', headers: { traceparent: SAMPLED } });
    await until(async () => (await readTopic(brokers, topic)).length === 1, { what: 'the record' });
    await first.end('SIGKILL');
    await outbox.admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1`, [
      outbox.role,
    ]);
    await outbox.admin.query(`DROP TRIGGER keep ON ${outbox.table}`);
    const second = await startRelay(config);
    await second.untilState('streaming');
    await outbox.untilEmpty();
    await second.end('SIGTERM');

    const records = await readTopic(brokers, topic);
    expect(records).toHaveLength(2);
    expect(new Set(records.map((record) => headerOf(record, 'id'))).size).toBe(1);
    const contexts = records.map((record) => parsed(headerOf(record, 'traceparent')));
    expect(contexts.map(({ trace }) => trace)).toEqual([TRACE, TRACE]);
    expect(contexts[0]?.span).not.toBe(contexts[1]?.span);
    // what the killed process had not exported is gone
    expect(collector.spans.map(({ spanId }) => spanId)).toContain(contexts[1]?.span);
  }, 90_000);

  it('cost nothing but spans while there is no collector', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '500'); // else it is told after 10 s
    const nowhere = { enabled: true, endpoint: 'http://127.0.0.1:1' };
    const { outbox, topic, config } = await kafkaStage(database.url, brokers, { tracing: nowhere });
    await outbox.insert(3_000);
    const relay = await startRelay(config);
    await outbox.untilEmpty();
    await relay.untilState('streaming');
    await relay.untilTold('tracing_export');
    expect(await readTopic(brokers, topic)).toHaveLength(3_000);
    expect(await relay.metric('tracing_spans_total', { result: 'failed' })).toBeGreaterThan(0);
    expect(await relay.metric('tracing_spans_total', { result: 'exported' })).toBe(0);
    expect(await relay.end('SIGTERM')).toBe('exit code 0');
  }, 90_000);

  it('leave health checks by gRPC to the same package', async () => {
    await using collector = await otlpOverGrpc();
    const { outbox, config } = await kafkaStage(database.url, brokers, {
      tracing: { ...http(collector), protocol: 'grpc' },
      admin: { grpc: { port: 0 } },
    });
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    const client = new HealthClient(/"grpc":"(127\.0\.0\.1:\d+)"/.exec(await relay.log())?.[1] ?? 'none');
    expect(await client.check('readiness')).toBe('SERVING');
    await outbox.insert(3);
    await outbox.untilEmpty();
    await collector.untilSpans(3, ({ kind }) => kind === 'producer');
    expect(await relay.end('SIGTERM')).toBe('exit code 0');
    client.close();
  }, 90_000);

  it('are passed on, and nothing is added or loaded, while tracing is off', async () => {
    const { outbox, topic, config } = await kafkaStage(database.url, brokers);
    const relay = await startRelay(config, [WITHOUT_PACKAGES]);
    await relay.untilState('streaming');
    await insert(outbox, { key: 'a', headers: { traceparent: SAMPLED } }, { key: 'b' });
    await outbox.untilEmpty();
    const records = await recordsByKey(topic);
    expect(headerOf(records.get('a')!, 'traceparent')).toBe(SAMPLED);
    expect(records.get('b')!.headers.map(([name]) => name)).toEqual(['id', 'type']);
    expect(await relay.end('SIGTERM')).toBe('exit code 0');
  }, 90_000);
});

describeWithService('rabbitmq', 'traces of rows that go to RabbitMQ', ({ url }) => {
  const database = freshDatabase();

  it('go from a column of their own to the headers of the message, and to a collector by gRPC', async () => {
    await using collector = await otlpOverGrpc();
    const outbox = await relayOutbox(database.url);
    await outbox.admin.query(`ALTER TABLE ${outbox.table} ADD COLUMN tracingspancontext text`);
    const queue = uniqueName('traced');
    await declareQueue(url, { queue, type: 'quorum' });
    const relay = await startRelay(
      outbox.config({
        destinations: { rabbit: { type: 'rabbitmq', url } },
        routes: [{ destination: 'rabbit', exchange: '', routingKey: queue }],
        tracing: { ...http(collector), protocol: 'grpc', column: 'tracingspancontext', headers: { 'x-key': 'k' } },
      }),
    );
    await relay.untilState('streaming');
    const carried = `#written by Debezium\ntraceparent=${SAMPLED}\ntracestate=vendor\\=1\nbaggage=user\\=7\n`;
    await outbox.admin.query(
      `INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload, headers, tracingspancontext)
       VALUES ('order', '1', 'sent', '{}', '{"a":"1"}', $1), ('order', '2', 'sent', '{}', NULL, 'nonsense')`,
      [carried],
    );
    const [first, second] = await takeMessages(url, queue, 2);
    expect(await relay.end('SIGTERM')).toBe('exit code 0');

    const headers: Readonly<Record<string, unknown>> = first?.properties.headers ?? {};
    expect(headers).toMatchObject({ a: '1', tracestate: 'vendor=1', baggage: 'user=7' });
    const own = parsed(String(headers.traceparent));
    expect(own.trace).toBe(TRACE);
    const span = collector.spans.find(({ spanId }) => spanId === own.span);
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, traceState: 'vendor=1', name: `create ${queue}` });
    expect(span?.attributes).toMatchObject({
      'messaging.system': 'rabbitmq',
      'messaging.destination.name': queue,
      'messaging.rabbitmq.destination.routing_key': queue,
      'messaging.message.id': first?.properties.messageId as string,
    });
    expect(collector.headers['x-key']).toBe('k');
    parsed(String(second?.properties.headers?.traceparent));
  }, 90_000);
});
