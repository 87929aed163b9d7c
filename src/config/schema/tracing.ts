import { z } from 'zod';
import { OTLP_PROTOCOLS, SAMPLERS } from '../../core/trace.ts';
import { choice, flag, number, secret, section, text } from './scalars.ts';

const headers = z
  .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), secret('the value of a header'), {
    error: () => 'expected header names with values, such as { api-key: "${file:/run/secrets/otlp}" }',
  })
  .describe('Headers of every export, such as a key of the collector, beside those of `OTEL_EXPORTER_OTLP_HEADERS`.')
  .prefault({})
  .meta({ secret: true });

/** The `tracing:` section. What is null here is left to the standard environment variables of OpenTelemetry. */
export const tracingSchema = section({
  enabled: flag()
    .describe(
      'Whether messages are traced and spans are exported by OTLP. `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` go before it.',
    )
    .prefault(false),
  column: text("a column's name (exactly as in the catalog, without quotes)")
    .nullable()
    .describe(
      'Column that carries the inserting trace: a `traceparent`, a JSON object, or lines of `name=value` (`tracingspancontext` of Debezium). Null: the headers column does.',
    )
    .prefault(null),
  protocol: choice(OTLP_PROTOCOLS)
    .nullable()
    .describe('How spans are exported. Null: `OTEL_EXPORTER_OTLP_PROTOCOL`, or else `http/protobuf`.')
    .prefault(null),
  endpoint: text('a URL such as http://localhost:4318', /^https?:\/\/[^\s/]+(?:\/\S*)?$/)
    .nullable()
    .describe(
      'The collector; with HTTP, `/v1/traces` is appended. Null: `OTEL_EXPORTER_OTLP_ENDPOINT`, or else port 4318 (HTTP) or 4317 (gRPC) of this host.',
    )
    .prefault(null),
  headers,
  serviceName: text('a name')
    .nullable()
    .describe('The name that spans carry as `service.name`. Null: `OTEL_SERVICE_NAME`, or else `outbox-relay`.')
    .prefault(null),
  sampler: choice(SAMPLERS)
    .nullable()
    .describe(
      'Which messages are traced. `parentbased_*`: as the inserting trace is, and rows without a trace by what follows. Null: `OTEL_TRACES_SAMPLER`, or else `parentbased_always_on`.',
    )
    .prefault(null),
  ratio: number(0, 1)
    .nullable()
    .describe('Of the traces that begin here, for the samplers by ratio. Null: `OTEL_TRACES_SAMPLER_ARG`, or else 1.')
    .prefault(null),
})
  .describe('OpenTelemetry: spans of messages, and the context of traces in their headers.')
  .prefault({});
