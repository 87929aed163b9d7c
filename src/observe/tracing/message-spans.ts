import {
  type Context,
  createTraceState,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { Tracer } from '@opentelemetry/api';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { RelayError } from '../../core/errors.ts';
import type { Address, OutgoingMessage } from '../../core/message.ts';
import type { Routed } from '../../core/routing.ts';
import type { RowRef } from '../../core/row.ts';
import { type MessageTrace, SAMPLED } from '../../core/trace.ts';
import {
  addressAttributes,
  messageAttributes,
  type MessagingSystem,
  type SpanAttributes,
  spanName,
} from './attributes.ts';
import type { DestinationSpans } from './spans.ts';
import type { SpanBudget } from './span-budget.ts';

/** Why a span ended that is neither acknowledged nor refused. */
const UNKNOWN =
  'the session ended before the acknowledgement: the message may be stored, and is sent again in a span of its own';

/** Gives the next span the ids that are in its message's headers already; else random ones. */
export class AssignedIds implements IdGenerator {
  readonly #random: IdGenerator;
  #next: { readonly traceId: string; readonly spanId: string } | null = null;

  constructor(random: IdGenerator) {
    this.#random = random;
  }

  assign(next: MessageTrace): void {
    this.#next = next;
  }

  /** Asked after {@link generateSpanId}, and only for a span without a parent. */
  generateTraceId(): string {
    return this.#next?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#next?.spanId ?? this.#random.generateSpanId();
  }

  clear(): void {
    this.#next = null;
  }
}

/** What spans are made with. */
export interface SpanParts {
  /** Samples everything: what comes here was sampled when its message was made. */
  readonly tracer: Tracer;
  readonly ids: AssignedIds;
  readonly budget: SpanBudget;
}

/**
 * Makes the spans of one destination: of each message that is traced one of kind producer, from its routing to its
 * acknowledgement, and of each group of messages that the broker acknowledged together one that links to them.
 */
export class MessageSpans implements DestinationSpans {
  readonly #parts: SpanParts;
  readonly #system: MessagingSystem;
  readonly #common: SpanAttributes;
  /** Spans of refused messages have ended, though the session may yet fail with them. */
  readonly #ended = new WeakSet<MessageTrace>();

  constructor(destination: string, system: MessagingSystem, parts: SpanParts) {
    this.#parts = parts;
    this.#system = system;
    this.#common = { 'messaging.system': system, 'outbox_relay.destination': destination };
  }

  acknowledged(messages: readonly OutgoingMessage[]): void {
    const tick = performance.now();
    const traces: MessageTrace[] = [];
    for (const message of messages) {
      if (!message.trace) continue;
      traces.push(message.trace);
      this.#message(message, message.trace, tick, null);
    }
    const [first] = traces;
    if (first !== undefined && messages.length > 1) this.#batch(messages, traces, first, tick);
  }

  unacknowledged(messages: readonly OutgoingMessage[]): void {
    const tick = performance.now();
    for (const message of messages) {
      if (!message.trace || this.#ended.has(message.trace)) continue;
      this.#message(message, message.trace, tick, { type: 'unacknowledged', description: UNKNOWN });
    }
  }

  refused(routed: Routed, fault: RelayError): void {
    const { trace: span } = routed.message ?? routed;
    if (!span) return;
    this.#ended.add(span);
    const failure = { type: fault.code, description: fault.message };
    const tick = performance.now();
    if (routed.message !== null) this.#message(routed.message, span, tick, failure);
    else this.#span(span, tick, null, rowAttributes(routed.row), failure);
  }

  #message(message: OutgoingMessage, span: MessageTrace, tick: number, failure: Failure | null): void {
    this.#span(span, tick, message.address, messageAttributes(this.#system, message), failure);
  }

  #span(
    span: MessageTrace,
    tick: number,
    address: Address | null,
    attributes: SpanAttributes,
    failure: Failure | null,
  ): void {
    const { tracer, ids, budget } = this.#parts;
    if (!budget.admit()) return;
    const all = {
      ...this.#common,
      ...attributes,
      ...operation('create'),
      ...(failure === null ? {} : { 'error.type': failure.type }),
    };
    const options = { kind: SpanKind.PRODUCER, startTime: span.startedAt, attributes: all };
    ids.assign(span);
    const made = tracer.startSpan(spanName('create', address), options, parentContext(span));
    ids.clear();
    if (failure !== null) made.setStatus({ code: SpanStatusCode.ERROR, message: failure.description });
    made.end(endTime(span, tick));
  }

  /** In a trace of its own: its messages are of many. Begun when the first of them was. */
  #batch(
    messages: readonly OutgoingMessage[],
    traces: readonly MessageTrace[],
    first: MessageTrace,
    tick: number,
  ): void {
    if (!this.#parts.budget.admit()) return;
    const address = sharedAddress(messages);
    const started = traces.reduce((least, each) => (each.startedTick < least.startedTick ? each : least), first);
    const made = this.#parts.tracer.startSpan(
      spanName('send', address),
      {
        kind: SpanKind.CLIENT,
        root: true,
        startTime: started.startedAt,
        links: traces.map(linkTo),
        attributes: {
          ...this.#common,
          ...(address === null ? {} : addressAttributes(address)),
          ...operation('send'),
          'messaging.batch.message_count': messages.length,
        },
      },
      ROOT_CONTEXT,
    );
    made.end(endTime(started, tick));
  }
}

/** Why a message is not at the broker, as far as is known. */
interface Failure {
  readonly type: string;
  readonly description: string;
}

function operation(name: 'create' | 'send'): SpanAttributes {
  return { 'messaging.operation.type': name, 'messaging.operation.name': name };
}

function rowAttributes({ position, id }: RowRef): SpanAttributes {
  return { 'messaging.message.id': id, 'outbox_relay.position': String(position) };
}

/** By the clock of the start: a clock that is set meanwhile makes no span end before it began. */
function endTime({ startedAt, startedTick }: MessageTrace, tick: number): number {
  return startedAt + Math.max(0, tick - startedTick);
}

function parentContext({ traceId, parentSpanId, flags, state }: MessageTrace): Context {
  if (parentSpanId === null) return ROOT_CONTEXT;
  const parent = { traceId, spanId: parentSpanId, traceFlags: flags & SAMPLED, isRemote: true };
  return trace.setSpanContext(
    ROOT_CONTEXT,
    state === null ? parent : { ...parent, traceState: createTraceState(state) },
  );
}

function linkTo({ traceId, spanId }: MessageTrace): Link {
  return { context: { traceId, spanId, traceFlags: SAMPLED } };
}

/** Null where they go to several: a batch for Kafka is for any number of topics. */
function sharedAddress(messages: readonly OutgoingMessage[]): Address | null {
  const address = messages[0]?.address ?? null;
  return messages.every((message) => message.address === address) ? address : null;
}
