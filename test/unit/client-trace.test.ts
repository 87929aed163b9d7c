import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  context,
  type ContextManager,
  createTraceState,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOutbox, type OutboxMessage, type OutboxOptions } from '../../src/client/index.ts';
import { formatTraceparent } from '../../src/core/trace.ts';
import { contextIn } from '../../src/core/trace-propagation.ts';
import { parseHeaders } from '../../src/route/headers.ts';
import { readCarrier } from '../../src/route/trace-headers.ts';

/** What the SDK for Node sets up. */
class StorageContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    act: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => act.call(thisArg, ...args));
  }
  bind<T>(_: Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    return this;
  }
}

const SPAN: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  traceState: createTraceState('vendor=a:1,other=b'),
};
const TRACEPARENT = formatTraceparent({ traceId: SPAN.traceId, spanId: SPAN.spanId, flags: 1 });
const MESSAGE: OutboxMessage = { aggregateType: 'order', aggregateId: '42', type: 'order.created', payload: {} };

type Columns = Readonly<Record<string, unknown>>;

/** The columns of what is published within a context. */
async function published(active: Context, message = MESSAGE, options: OutboxOptions = {}): Promise<Columns> {
  const written: { columns: Columns }[] = [];
  const query = ({ values }: { values: unknown[] }) => {
    written.push(...(JSON.parse(String(values[0])) as { columns: Columns }[]));
    return Promise.resolve({ rows: [] });
  };
  await context.with(active, () => createOutbox(options).publish({ query }, message));
  return written[0]!.columns;
}

describe('the trace of a message', () => {
  const inSpan = trace.setSpanContext(ROOT_CONTEXT, SPAN);

  beforeAll(() => context.setGlobalContextManager(new StorageContextManager()));
  afterAll(() => context.disable());

  it('is that of the active span, as the relay reads it', async () => {
    const baggage = propagation.createBaggage({ tenant: { value: 'ä, b' }, plan: { value: 'x' } });
    const { headers } = await published(propagation.setBaggage(inSpan, baggage), { ...MESSAGE, headers: { a: '1' } });
    expect(headers).toEqual({
      a: '1',
      traceparent: TRACEPARENT,
      tracestate: 'vendor=a:1,other=b',
      baggage: 'tenant=%C3%A4%2C%20b,plan=x',
    });
    expect(contextIn(parseHeaders(JSON.stringify(headers)))).toEqual({
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      flags: 1,
      state: 'vendor=a:1,other=b',
    });
  });

  it('goes into a column of its own where there is one', async () => {
    const columns = { trace: 'tracingspancontext' };
    const row = await published(inSpan, MESSAGE, { columns });
    expect(row.headers).toBeNull();
    const carried = readCarrier(JSON.stringify(row.tracingspancontext));
    expect(carried).toEqual([
      ['traceparent', TRACEPARENT],
      ['tracestate', 'vendor=a:1,other=b'],
    ]);
    expect((await published(ROOT_CONTEXT, MESSAGE, { columns })).tracingspancontext).toBeNull();
  });

  it('goes into a column of its own in a table without headers', async () => {
    const { trace: carried } = await published(inSpan, MESSAGE, { columns: { headers: null, trace: 'trace' } });
    expect(carried).toMatchObject({ traceparent: TRACEPARENT });
  });

  it.each([
    ['no span is active', ROOT_CONTEXT, {}],
    ['the span is none', trace.setSpanContext(ROOT_CONTEXT, { ...SPAN, traceId: '0'.repeat(32) }), {}],
    ['it is switched off', inSpan, { trace: false }],
    ['there is nowhere to put it', inSpan, { columns: { headers: null } }],
  ] as const)('is not there when %s', async (_, active, options) => {
    expect((await published(active, MESSAGE, options)).headers ?? null).toBeNull();
  });

  it('is the message’s own if it has one, whole', async () => {
    const own = { Traceparent: '00-11111111111111111111111111111111-2222222222222222-00', baggage: 'mine=1' };
    expect((await published(inSpan, { ...MESSAGE, headers: own })).headers).toEqual(own);
    const stray = { tracestate: 'stale=1', baggage: 'stale=1', a: '1' };
    const { headers } = await published(inSpan, { ...MESSAGE, headers: stray });
    expect(headers).toEqual({ a: '1', traceparent: TRACEPARENT, tracestate: 'vendor=a:1,other=b' });
  });

  it('comes from a function where one is given', async () => {
    const { headers } = await published(inSpan, MESSAGE, { trace: () => ({ traceparent: 'x' }) });
    expect(headers).toEqual({ traceparent: 'x' });
  });
});
