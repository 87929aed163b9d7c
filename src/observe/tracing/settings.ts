/** What is said of tracing by the `tracing:` section and by the standard environment variables of OpenTelemetry. */
import { OTLP_PROTOCOLS, type OtlpProtocol, type SamplerName, SAMPLERS } from '../../core/trace.ts';

/** The `tracing:` section; null where it leaves the word to the environment. */
export interface TracingOptions {
  readonly enabled: boolean;
  readonly protocol: OtlpProtocol | null;
  /** Where the collector is; for HTTP without the path of the signal. */
  readonly endpoint: string | null;
  /** Sent with every export; secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string | null;
  readonly sampler: SamplerName | null;
  readonly ratio: number | null;
}

/** How spans are made and where they go. What is null here, the exporter reads from the environment by itself. */
export interface TracingSettings {
  readonly protocol: OtlpProtocol;
  readonly endpoint: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string | null;
  readonly sampler: SamplerName;
  /** Of the traces that begin here, for the samplers by ratio: 0 to 1. */
  readonly ratio: number;
}

/** What came of the two. */
export interface ResolvedTracing {
  /** Null: messages are not traced. */
  readonly settings: TracingSettings | null;
  /** Variables that say what cannot be done; they are ignored, as the specification asks for. */
  readonly warnings: readonly string[];
}

/**
 * Puts section and environment together: an option that is set goes before its variable. `OTEL_SDK_DISABLED=true` and
 * `OTEL_TRACES_EXPORTER=none` switch tracing off, whatever the section says.
 *
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function resolveTracing(
  options: TracingOptions,
  env: Readonly<Record<string, string | undefined>>,
): ResolvedTracing {
  const warnings: string[] = [];
  const read = (name: string): string => env[name]?.trim() ?? '';
  const choose = <const Word extends string>(name: string, known: readonly Word[]): Word | null => {
    const given = read(name);
    if (given === '') return null;
    const found = known.find((word) => word === given) ?? null;
    if (found === null) warnings.push(`environment variable ${name} is ignored: expected ${known.join(', ')}`);
    return found;
  };
  const off = read('OTEL_SDK_DISABLED').toLowerCase() === 'true';
  if (!options.enabled || off || choose('OTEL_TRACES_EXPORTER', ['otlp', 'none']) === 'none')
    return { settings: null, warnings };
  const { endpoint, headers, serviceName } = options;
  const protocol =
    options.protocol ??
    choose('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', OTLP_PROTOCOLS) ??
    choose('OTEL_EXPORTER_OTLP_PROTOCOL', OTLP_PROTOCOLS) ??
    'http/protobuf';
  const sampler = options.sampler ?? choose('OTEL_TRACES_SAMPLER', SAMPLERS) ?? 'parentbased_always_on';
  const argument = read('OTEL_TRACES_SAMPLER_ARG');
  const ratio = argument === '' || !sampler.endsWith('traceidratio') ? 1 : Number(argument);
  const valid = ratio >= 0 && ratio <= 1;
  if (!valid) warnings.push('environment variable OTEL_TRACES_SAMPLER_ARG is ignored: expected a number from 0 to 1');
  const settings = { protocol, endpoint, headers, serviceName, sampler, ratio: options.ratio ?? (valid ? ratio : 1) };
  return { settings, warnings };
}
