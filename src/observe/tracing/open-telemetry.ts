/** Loaded only where tracing is on: everything that needs the packages of OpenTelemetry begins here. */
import { getNumberFromEnv } from '@opentelemetry/core';
import { detectResources, envDetector, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  RandomIdGenerator,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { pause } from '../../core/pause.ts';
import type { MessagingSystem } from './attributes.ts';
import { AssignedIds, MessageSpans } from './message-spans.ts';
import { SamplingTracer } from './message-tracer.ts';
import type { TracingSettings } from './settings.ts';
import { type ExportObserver, SpanBudget } from './span-budget.ts';
import type { Tracing } from './spans.ts';

/** Who makes the spans, and of what. */
export interface TracedService {
  /** Of the package. */
  readonly version: string;
  /** The kind of each destination, by name. */
  readonly systems: ReadonlyMap<string, MessagingSystem>;
}

const SERVICE_NAME = 'outbox-relay';
/** The defaults of `OTEL_BSP_*`; spans that wait, and those of one export. */
const QUEUE_SPANS = 2048;
const EXPORT_SPANS = 512;
const EXPORT_DELAY_MS = 5000;
const EXPORT_TIMEOUT_MS = 30_000;

/** Begins to trace: makes the exporter, which connects at its first export. */
export async function startTracing(
  settings: TracingSettings,
  service: TracedService,
  observer: ExportObserver,
): Promise<Tracing> {
  const queue = wholeNumber('OTEL_BSP_MAX_QUEUE_SIZE', QUEUE_SPANS);
  const budget = new SpanBudget(queue, observer);
  const random = new RandomIdGenerator();
  const ids = new AssignedIds(random);
  const provider = new TracerProvider({
    resource: resourceOf(settings, service.version),
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanLimits: {
      attributeValueLengthLimit:
        getNumberFromEnv('OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT') ??
        getNumberFromEnv('OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT') ??
        Infinity,
    },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: budget.around(await createExporter(settings)),
        maxQueueSize: queue,
        maxExportBatchSize: Math.min(queue, wholeNumber('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', EXPORT_SPANS)),
        scheduledDelayMillis: wholeNumber('OTEL_BSP_SCHEDULE_DELAY', EXPORT_DELAY_MS),
        exportTimeoutMillis: wholeNumber('OTEL_BSP_EXPORT_TIMEOUT', EXPORT_TIMEOUT_MS),
      }),
    ],
  });
  const parts = { tracer: provider.getTracer(SERVICE_NAME, service.version), ids, budget };
  return {
    tracer: new SamplingTracer(settings, random),
    destination: (name) => new MessageSpans(name, service.systems.get(name) ?? 'console', parts),
    close: async (deadlineMs) => {
      const enough = new AbortController();
      const closed = provider.shutdown().catch(() => undefined);
      await Promise.race([closed, pause(deadlineMs, enough.signal)]);
      enough.abort();
      if (budget.waiting > 0) observer.dropped(budget.waiting);
    },
  };
}

async function createExporter({ protocol, endpoint, headers }: TracingSettings): Promise<SpanExporter> {
  if (protocol === 'grpc') {
    const [{ OTLPTraceExporter }, { Metadata }] = await Promise.all([
      import('@opentelemetry/exporter-trace-otlp-grpc'),
      import('@grpc/grpc-js'),
    ]);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new OTLPTraceExporter({ metadata, ...(endpoint !== null && { url: endpoint }) });
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  const url = endpoint === null ? {} : { url: `${endpoint.replace(/\/+$/, '')}/v1/traces` };
  return new OTLPTraceExporter({ headers: { ...headers }, ...url });
}

/** The environment's attributes go before ours, and the section's name of the service before theirs. */
function resourceOf({ serviceName }: TracingSettings, version: string): Resource {
  const own = resourceFromAttributes({ 'service.name': SERVICE_NAME, 'service.version': version });
  const named = own.merge(detectResources({ detectors: [envDetector] }));
  return serviceName === null ? named : named.merge(resourceFromAttributes({ 'service.name': serviceName }));
}

function wholeNumber(variable: string, fallback: number): number {
  const given = getNumberFromEnv(variable);
  return given !== undefined && Number.isInteger(given) && given > 0 ? given : fallback;
}
