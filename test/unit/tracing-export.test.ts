import { afterEach, describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { startTracing } from '../../src/observe/tracing/open-telemetry.ts';
import type { TracingSettings } from '../../src/observe/tracing/settings.ts';
import type { ExportObserver } from '../../src/observe/tracing/span-budget.ts';
import type { Tracing } from '../../src/observe/tracing/spans.ts';
import { type OtlpReceiver, otlpOverGrpc, otlpOverHttp } from '../support/otlp/receiver.ts';
import { message } from './relay-support.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = { traceId: TRACE, spanId: 'b7ad6b7169203331', flags: 1, state: 'vendor=1' };
const SERVICE = {
  version: '1.2.3',
  systems: new Map([
    ['kafka', 'kafka'],
    ['rabbit', 'rabbitmq'],
  ] as const),
};

/** What became of spans. */
class Outcome implements ExportObserver {
  spans = { exported: 0, failed: 0, dropped: 0 };
  readonly errors: unknown[] = [];

  exported(spans: number): void {
    this.spans.exported += spans;
  }

  failed(spans: number, error: unknown): void {
    this.spans.failed += spans;
    this.errors.push(error);
  }

  dropped(spans: number): void {
    this.spans.dropped += spans;
  }
}

const outcome = new Outcome();
const environment: string[] = [];
afterEach(() => {
  outcome.spans = { exported: 0, failed: 0, dropped: 0 };
  outcome.errors.length = 0;
  for (const name of environment.splice(0)) Reflect.deleteProperty(process.env, name);
});

function setEnvironment(values: Readonly<Record<string, string>>): void {
  Object.assign(process.env, values);
  environment.push(...Object.keys(values));
}

function begin(settings: Partial<TracingSettings>): Promise<Tracing> {
  const defaults: TracingSettings = {
    protocol: 'http/protobuf',
    endpoint: null,
    headers: {},
    serviceName: null,
    sampler: 'parentbased_always_on',
    ratio: 1,
  };
  return startTracing({ ...defaults, ...settings }, SERVICE, outcome);
}

function traced(tracing: Tracing, position: bigint, parent: typeof PARENT | null = PARENT): OutgoingMessage {
  return { ...message(position, { key: `key-${position}` }), type: 'created', trace: tracing.tracer.begin(parent) };
}

describe.each([
  ['http/protobuf', otlpOverHttp],
  ['grpc', otlpOverGrpc],
] as const)('spans over %s', (protocol, listen) => {
  it("are children of the inserting span, with the id that is in the message's headers", async () => {
    await using collector = await listen();
    const tracing = await begin({ protocol, endpoint: collector.endpoint, headers: { 'x-key': 'secret' } });
    const before = BigInt(Date.now()) * 1_000_000n;
    const one = traced(tracing, 7n);
    tracing.destination('kafka').acknowledged([one]);
    await tracing.close(10_000);
    expect(collector.headers['x-key']).toBe('secret');
    const [span, ...others] = collector.spans;
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      traceId: TRACE,
      spanId: one.trace?.spanId,
      parentSpanId: PARENT.spanId,
      traceState: 'vendor=1',
      name: 'create t',
      kind: 'producer',
      links: [],
      status: { code: 0 },
      scope: 'outbox-relay',
      resource: { 'service.name': 'outbox-relay', 'service.version': '1.2.3' },
    });
    expect(span?.attributes).toEqual({
      'messaging.system': 'kafka',
      'messaging.destination.name': 't',
      'messaging.operation.type': 'create',
      'messaging.operation.name': 'create',
      'messaging.message.id': 'id-7',
      'messaging.kafka.message.key': 'key-7',
      'messaging.kafka.message.tombstone': true,
      'outbox_relay.destination': 'kafka',
      'outbox_relay.lane': 'stream',
      'outbox_relay.position': '7',
      'outbox_relay.event_type': 'created',
    });
    expect(span!.start).toBeGreaterThanOrEqual(before);
    expect(span!.end).toBeGreaterThanOrEqual(span!.start);
    expect(outcome.spans).toEqual({ exported: 1, failed: 0, dropped: 0 });
  });

  it('that the collector refuses are counted, with what it said', async () => {
    await using collector = await listen();
    collector.refuse(true);
    const tracing = await begin({ protocol, endpoint: collector.endpoint });
    tracing.destination('kafka').acknowledged([traced(tracing, 1n)]);
    await tracing.close(10_000);
    expect(outcome.spans).toEqual({ exported: 0, failed: 1, dropped: 0 });
    expect(String(outcome.errors[0])).toMatch(/Bad Request|PERMISSION_DENIED/);
  });
});

describe('spans', () => {
  async function collected(
    use: (tracing: Tracing) => void,
    settings: Partial<TracingSettings> = {},
  ): Promise<OtlpReceiver> {
    await using collector = await otlpOverHttp();
    const tracing = await begin({ endpoint: collector.endpoint, ...settings });
    use(tracing);
    await tracing.close(10_000);
    return collector;
  }

  it('of a batch link to those of its messages, in a trace of their own', async () => {
    const { spans } = await collected((tracing) => {
      const messages = [traced(tracing, 1n), message(2n), traced(tracing, 3n)];
      tracing.destination('kafka').acknowledged(messages.map((each) => ({ ...each, address: messages[0]!.address })));
    });
    const [batch, ...others] = spans.filter(({ kind }) => kind === 'client');
    expect(others).toEqual([]);
    expect(batch).toMatchObject({ name: 'send t', parentSpanId: '' });
    expect(batch?.traceId).not.toBe(TRACE);
    expect(batch?.attributes).toMatchObject({
      'messaging.operation.type': 'send',
      'messaging.destination.name': 't',
      'messaging.batch.message_count': 3,
    });
    const members = spans.filter(({ kind }) => kind === 'producer');
    expect(members).toHaveLength(2);
    expect(batch?.links).toEqual(members.map(({ spanId }) => `${TRACE}-${spanId}`));
  });

  it('of a batch for several topics name none; there is none of a single message, nor of what is not traced', async () => {
    const { spans } = await collected((tracing) => {
      const elsewhere = { kind: 'topic', topic: 'u' } as const;
      tracing.destination('kafka').acknowledged([traced(tracing, 1n), { ...traced(tracing, 2n), address: elsewhere }]);
      tracing.destination('kafka').acknowledged([traced(tracing, 3n)]);
      tracing.destination('kafka').acknowledged([message(4n), message(5n)]);
    });
    expect(spans.map(({ name }) => name).sort()).toEqual(['create t', 'create t', 'create u', 'send']);
  });

  it('link to 128 messages at most', async () => {
    const { spans } = await collected((tracing) => {
      tracing
        .destination('kafka')
        .acknowledged(Array.from({ length: 200 }, (_, at) => traced(tracing, BigInt(at + 1))));
    });
    const batch = spans.find(({ kind }) => kind === 'client');
    expect([batch?.links.length, batch?.attributes['messaging.batch.message_count']]).toEqual([128, 200]);
  });

  it.each([
    ['events', 'order.created', 'events:order.created', 'events'],
    ['', 'queue', 'queue', 'queue'],
    ['events', '', 'events', 'events'],
    ['', '', 'amq.default', ''],
  ])('for RabbitMQ name exchange %j and routing key %j', async (exchange, routingKey, name, object) => {
    const { spans } = await collected((tracing) => {
      const address = { kind: 'exchange', exchange, routingKey } as const;
      tracing.destination('rabbit').acknowledged([{ ...traced(tracing, 1n), address }]);
    });
    expect(spans[0]).toMatchObject({ name: `create ${object}` });
    expect(spans[0]?.attributes).toMatchObject({ 'messaging.system': 'rabbitmq', 'messaging.destination.name': name });
    expect(spans[0]?.attributes['messaging.rabbitmq.destination.routing_key']).toBe(routingKey || undefined);
    expect(spans[0]?.attributes).not.toHaveProperty('messaging.kafka.message.key');
  });

  it('of refused messages, and of rows at fault, end with the error, once', async () => {
    const fault = new RelayError('message_too_large', 'too large');
    const { spans } = await collected((tracing) => {
      const destination = tracing.destination('kafka');
      const refused = traced(tracing, 1n);
      destination.refused({ destination: 'kafka', row: refused.row, message: refused, fault: null }, fault);
      destination.unacknowledged([refused]);
      const trace = tracing.tracer.begin(PARENT);
      destination.refused(
        { destination: 'kafka', row: message(2n).row, message: null, fault, key: null, route: 0, trace },
        fault,
      );
    });
    expect(spans.map(({ name }) => name)).toEqual(['create t', 'create']);
    for (const span of spans) {
      expect(span.attributes['error.type']).toBe('message_too_large');
      expect(span.status).toEqual({ code: 2, message: 'too large' });
    }
  });

  it('of messages whose fate is not known say so', async () => {
    const { spans } = await collected((tracing) =>
      tracing.destination('kafka').unacknowledged([traced(tracing, 1n), message(2n)]),
    );
    expect(spans).toHaveLength(1);
    expect(spans[0]?.attributes['error.type']).toBe('unacknowledged');
  });

  it('are named by the standard variables, and the service by the section before them', async () => {
    setEnvironment({ OTEL_SERVICE_NAME: 'shop-relay', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod' });
    const one = await collected((tracing) => tracing.destination('kafka').acknowledged([traced(tracing, 1n)]));
    expect(one.spans[0]?.resource).toMatchObject({
      'service.name': 'shop-relay',
      'deployment.environment.name': 'prod',
    });
    const use = (tracing: Tracing): void => tracing.destination('kafka').acknowledged([traced(tracing, 1n)]);
    const other = await collected(use, { serviceName: 'mine' });
    expect(other.spans[0]?.resource).toMatchObject({ 'service.name': 'mine' });
  });

  it('go to where the standard variables say', async () => {
    await using collector = await otlpOverHttp();
    setEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'x-key=of%20env' });
    const tracing = await begin({});
    tracing.destination('kafka').acknowledged([traced(tracing, 1n)]);
    await tracing.close(10_000);
    expect(collector.spans).toHaveLength(1);
    expect(collector.headers['x-key']).toBe('of env');
  });
});

describe('a collector that cannot be reached', () => {
  it('costs spans, counted, and never more than the queue; it holds up the end for so long at most', async () => {
    setEnvironment({ OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5' });
    // a connection is accepted and never answered
    const { createServer } = await import('node:net');
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const tracing = await begin({ endpoint: `http://127.0.0.1:${port}` });
    const destination = tracing.destination('kafka');
    for (let n = 1n; n <= 100n; n++) destination.acknowledged([traced(tracing, n)]);
    expect(outcome.spans).toEqual({ exported: 0, failed: 0, dropped: 90 });
    await tracing.close(50);
    expect(outcome.spans).toEqual({ exported: 0, failed: 0, dropped: 100 });
    silent.close();
  });

  it('is told with the reason', async () => {
    setEnvironment({ OTEL_EXPORTER_OTLP_TIMEOUT: '200' });
    const tracing = await begin({ endpoint: 'http://user:secret@127.0.0.1:1' });
    tracing.destination('kafka').acknowledged([traced(tracing, 1n)]);
    await tracing.close(10_000);
    expect(outcome.spans).toEqual({ exported: 0, failed: 1, dropped: 0 });
    expect(String(outcome.errors[0])).toMatch(/ECONNREFUSED/);
    expect(String(outcome.errors[0])).not.toMatch(/secret/);
  });
});

describe('sampling', () => {
  const decisions = async (settings: Partial<TracingSettings>): Promise<readonly boolean[]> => {
    const tracing = await begin(settings);
    const decided = [{ ...PARENT, flags: 1 }, { ...PARENT, flags: 0 }, null].map(
      (parent) => tracing.tracer.begin(parent) !== null,
    );
    await tracing.close(0);
    return decided;
  };

  it.each([
    // of a sampled parent, an unsampled one, and none
    ['parentbased_always_on', 1, [true, false, true]],
    ['parentbased_always_off', 1, [true, false, false]],
    ['parentbased_traceidratio', 0, [true, false, false]],
    ['parentbased_traceidratio', 1, [true, false, true]],
    ['always_on', 1, [true, true, true]],
    ['always_off', 1, [false, false, false]],
    ['traceidratio', 0, [false, false, false]],
    ['traceidratio', 1, [true, true, true]],
  ] as const)('by %s with %d', async (sampler, ratio, expected) => {
    expect(await decisions({ sampler, ratio })).toEqual(expected);
  });

  it('keeps the flags of a sampled parent that have a meaning, and makes ids of its own', async () => {
    const tracing = await begin({});
    const child = tracing.tracer.begin({ ...PARENT, flags: 0xff });
    expect(child).toMatchObject({ traceId: TRACE, parentSpanId: PARENT.spanId, flags: 0x03 });
    const ids = Array.from({ length: 100 }, () => tracing.tracer.begin(null));
    expect(new Set(ids.map((each) => each?.traceId)).size).toBe(100);
    expect(new Set(ids.map((each) => each?.spanId)).size).toBe(100);
    for (const each of ids) expect(each).toMatchObject({ flags: 1, parentSpanId: null, state: null });
    await tracing.close(0);
  });
});
