import { describe, expect, it } from 'vitest';
import { resolveTracing, type TracingOptions } from '../../src/observe/tracing/settings.ts';

const ON: TracingOptions = {
  enabled: true,
  protocol: null,
  endpoint: null,
  headers: {},
  serviceName: null,
  sampler: null,
  ratio: null,
};

describe('tracing', () => {
  it('has defaults', () => {
    expect(resolveTracing(ON, {})).toEqual({
      settings: {
        protocol: 'http/protobuf',
        endpoint: null,
        headers: {},
        serviceName: null,
        sampler: 'parentbased_always_on',
        ratio: 1,
      },
      warnings: [],
    });
  });

  it.each([
    ['OTEL_SDK_DISABLED', 'true'],
    ['OTEL_SDK_DISABLED', 'TRUE '],
    ['OTEL_TRACES_EXPORTER', 'none'],
  ])('is off with %s=%s', (name, value) => {
    expect(resolveTracing(ON, { [name]: value }).settings).toBeNull();
  });

  it('is off unless it is asked for', () => {
    const env = { OTEL_SDK_DISABLED: 'false', OTEL_TRACES_EXPORTER: 'otlp' };
    expect(resolveTracing({ ...ON, enabled: false }, env).settings).toBeNull();
    expect(resolveTracing(ON, env).settings).not.toBeNull();
  });

  it('takes protocol and sampler from the standard variables, the exact one first', () => {
    const env = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ' grpc ',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    };
    expect(resolveTracing(ON, env).settings).toMatchObject({
      protocol: 'grpc',
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
    });
  });

  it('goes by the section before the variables', () => {
    const env = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_SAMPLER: 'always_off',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    };
    const options = { ...ON, protocol: 'http/protobuf', sampler: 'traceidratio', ratio: 0.5 } as const;
    expect(resolveTracing(options, env)).toMatchObject({
      settings: { protocol: 'http/protobuf', sampler: 'traceidratio', ratio: 0.5 },
      warnings: [],
    });
  });

  it('ignores variables that it cannot follow, and says so', () => {
    const env = {
      OTEL_TRACES_EXPORTER: 'zipkin',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '25%',
    };
    const { settings, warnings } = resolveTracing(ON, env);
    expect(settings).toMatchObject({ protocol: 'http/protobuf', sampler: 'traceidratio', ratio: 1 });
    expect(warnings).toEqual([
      'environment variable OTEL_TRACES_EXPORTER is ignored: expected otlp, none',
      'environment variable OTEL_EXPORTER_OTLP_PROTOCOL is ignored: expected http/protobuf, grpc',
      'environment variable OTEL_TRACES_SAMPLER_ARG is ignored: expected a number from 0 to 1',
    ]);
  });

  it('takes an argument for the samplers that have one only', () => {
    const env = { OTEL_TRACES_SAMPLER: 'always_on', OTEL_TRACES_SAMPLER_ARG: 'endpoint=http://x' };
    expect(resolveTracing(ON, env)).toMatchObject({ settings: { ratio: 1 }, warnings: [] });
  });
});
