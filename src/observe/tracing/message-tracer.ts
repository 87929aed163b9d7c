import { ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  type IdGenerator,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import { type MessageTrace, type MessageTracer, SAMPLED, type TraceContext } from '../../core/trace.ts';
import type { TracingSettings } from './settings.ts';

/** Of the flags, those that a child keeps: sampled, and that the trace's id is random. */
const KEPT_FLAGS = 0x03;

/**
 * Decides at once which messages are traced, and gives their spans an id: both are in the message's headers long before
 * the span itself is made, at the broker's acknowledgement.
 */
export class SamplingTracer implements MessageTracer {
  readonly #ids: IdGenerator;
  readonly #byParent: boolean;
  /** For what is not decided by a parent. */
  readonly #sampler: Sampler;

  constructor({ sampler, ratio }: Pick<TracingSettings, 'sampler' | 'ratio'>, ids: IdGenerator) {
    this.#ids = ids;
    this.#byParent = sampler.startsWith('parentbased_');
    this.#sampler = samplerOf(sampler, ratio);
  }

  begin(parent: TraceContext | null): MessageTrace | null {
    if (parent !== null && this.#byParent && (parent.flags & SAMPLED) === 0) return null;
    const traceId = parent?.traceId ?? this.#ids.generateTraceId();
    if ((parent === null || !this.#byParent) && !this.#samples(traceId)) return null;
    return {
      traceId,
      spanId: this.#ids.generateSpanId(),
      flags: ((parent?.flags ?? 0) & KEPT_FLAGS) | SAMPLED,
      state: parent?.state ?? null,
      parentSpanId: parent?.spanId ?? null,
      startedAt: Date.now(),
      startedTick: performance.now(),
    };
  }

  #samples(traceId: string): boolean {
    const { decision } = this.#sampler.shouldSample(ROOT_CONTEXT, traceId, '', SpanKind.PRODUCER, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  }
}

function samplerOf(name: TracingSettings['sampler'], ratio: number): Sampler {
  if (name.endsWith('always_on')) return new AlwaysOnSampler();
  if (name.endsWith('always_off')) return new AlwaysOffSampler();
  return new TraceIdRatioBasedSampler(ratio);
}
