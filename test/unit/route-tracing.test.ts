import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Header } from '../../src/core/message.ts';
import type { Routed } from '../../src/core/routing.ts';
import { type MessageTrace, type MessageTracer, SAMPLED, type TraceContext } from '../../src/core/trace.ts';
import { traceOf } from '../../src/core/trace-propagation.ts';
import { createRouter } from '../../src/route/router.ts';
import { readCarrier } from '../../src/route/trace-headers.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const UNSAMPLED = `00-${TRACE}-b7ad6b7169203331-00`;
const OWN_SPAN = '00f067aa0ba902b7';
const OWN = `00-${TRACE}-${OWN_SPAN}-01`;

/** Samples what its parent samples; without a parent, nothing, unless `roots`. Keeps what it was asked. */
class Tracer implements MessageTracer {
  readonly asked: (TraceContext | null)[] = [];
  readonly #roots: boolean;

  constructor(roots = false) {
    this.#roots = roots;
  }

  begin(parent: TraceContext | null): MessageTrace | null {
    this.asked.push(parent);
    if (parent === null ? !this.#roots : (parent.flags & SAMPLED) === 0) return null;
    const { traceId, flags, state, spanId } = parent ?? { traceId: TRACE, flags: 1, state: null, spanId: null };
    return { traceId, flags, state, spanId: OWN_SPAN, parentSpanId: spanId, startedAt: 0, startedTick: 0 };
  }
}

const table = tableOf({ tracingspancontext: 'text' });

function routed(
  values: Readonly<Record<string, string | null>>,
  options: { tracer?: MessageTracer | null; column?: string | null } = {},
): Routed {
  const { tracer = new Tracer(), column = null } = options;
  const router = createRouter([routeOf()], table, ['kafka'], tracer === null ? null : { tracer, column });
  const row = rowOf(table, { aggregatetype: 'order', aggregateid: '7', type: 'created', payload: '{}', ...values });
  return router.route(row);
}

const headersOf = ({ message }: Routed): readonly Header[] | undefined => message?.headers;
const json = (headers: Readonly<Record<string, string>>): string => JSON.stringify(headers);

describe('a traced row', () => {
  it("carries its message's own span in the place of the inserting one, and all else as it was", () => {
    const tracer = new Tracer();
    const headers = { a: '1', traceparent: PARENT, tracestate: 'x=1', baggage: 'user=7', z: '2' };
    const row = routed({ headers: json(headers) }, { tracer });
    expect(headersOf(row)).toEqual(Object.entries({ ...headers, traceparent: OWN }));
    expect(row.message?.trace).toMatchObject({ traceId: TRACE, spanId: OWN_SPAN, parentSpanId: 'b7ad6b7169203331' });
    expect(tracer.asked).toEqual([{ traceId: TRACE, spanId: 'b7ad6b7169203331', flags: 1, state: 'x=1' }]);
  });

  it('is told from others by headers of any case, and tells consumers in lower case', () => {
    expect(headersOf(routed({ headers: json({ Traceparent: PARENT }) }))).toEqual([['traceparent', OWN]]);
  });

  it('counts its header against the memory budget', () => {
    const bytes = (tracer: MessageTracer | null): number => routed({}, { tracer }).message?.bytes ?? 0;
    expect(bytes(new Tracer(true)) - bytes(null)).toBe('traceparent'.length + OWN.length);
  });
});

describe('a row that is not traced', () => {
  it.each([
    ['not sampled', { traceparent: UNSAMPLED, tracestate: 'x=1', baggage: 'b' }],
    ['malformed', { traceparent: '00-nonsense', tracestate: ',,,=' }],
    ['of an unknown kind', { Traceparent: '' }],
  ])('passes on what it carries: %s', (_, headers) => {
    const row = routed({ headers: json(headers) });
    expect(headersOf(row)).toEqual(Object.entries(headers));
    expect(row.message?.trace).toBeNull();
  });

  it('is not asked for with a malformed context, which would begin a trace of its own', () => {
    const tracer = new Tracer(true);
    const headers = `{"traceparent":"${PARENT}","traceparent":"${PARENT}"}`;
    expect(headersOf(routed({ headers }, { tracer }))).toHaveLength(2);
    expect(tracer.asked).toEqual([]);
  });

  it('gets no header, with tracing or without', () => {
    expect(headersOf(routed({}))).toEqual([]);
    expect(headersOf(routed({ headers: json({ traceparent: PARENT }) }, { tracer: null }))).toEqual([
      ['traceparent', PARENT],
    ]);
  });

  it('begins a trace where the sampler wants one', () => {
    expect(headersOf(routed({ headers: json({ a: '1' }) }, { tracer: new Tracer(true) }))).toEqual([
      ['a', '1'],
      ['traceparent', OWN],
    ]);
  });
});

describe('a column of its own', () => {
  const column = 'tracingspancontext';

  it('carries the context, and goes before the headers', () => {
    const carried = json({ traceparent: PARENT, tracestate: 'x=1', baggage: 'b=1', other: 'left out' });
    const headers = json({ traceparent: UNSAMPLED, TRACESTATE: 'old=1', baggage: 'old', a: '1' });
    expect(headersOf(routed({ [column]: carried, headers }, { column }))).toEqual([
      ['a', '1'],
      ['traceparent', OWN],
      ['tracestate', 'x=1'],
      ['baggage', 'b=1'],
    ]);
  });

  it.each([
    ['null', null],
    ['nonsense', 'nonsense'],
    ['malformed JSON', '{"traceparent":'],
    ['JSON without a context', '{"a":1}'],
  ])('leaves it to the headers: %s', (_, value) => {
    expect(headersOf(routed({ [column]: value, headers: json({ traceparent: PARENT }) }, { column }))).toEqual([
      ['traceparent', OWN],
    ]);
  });

  it('that is not read is a mistake in the configuration', () => {
    expect(() => routed({}, { column: 'trace' })).toThrow(/tracing\.column names the column 'trace'/);
  });

  it.each([
    ['a traceparent alone', PARENT],
    ['an object', json({ traceparent: PARENT })],
    ['an object with blanks before it', ` \n${json({ Traceparent: PARENT })}`],
    ["Debezium's properties", `#Mon Nov 23 17:00:00 UTC 2026\ntraceparent=${PARENT}\n`],
    ['properties with other line ends', `traceparent = ${PARENT}\r\n`],
  ])('is read as %s', (_, text) => {
    expect(readCarrier(text)).toEqual([['traceparent', PARENT]]);
  });

  it('is read with what properties escape', () => {
    expect(readCarrier(`tracestate=a\\=1,b\\=t\\:2\ntraceparent=${PARENT}\nuber=x`)).toEqual([
      ['tracestate', 'a=1,b=t:2'],
      ['traceparent', PARENT],
    ]);
  });
});

describe('a row at fault', () => {
  const faultOf = (values: Readonly<Record<string, string | null>>, tracer: MessageTracer | null): Routed =>
    routed({ aggregatetype: null, ...values }, { tracer });

  it('has a span, and tells of it', () => {
    const row = faultOf({ headers: json({ traceparent: PARENT }) }, new Tracer());
    expect(row.fault?.code).toBe('route_template');
    expect(traceOf(row)).toMatchObject({ traceId: TRACE, spanId: OWN_SPAN });
  });

  it('tells of the inserting trace where it has none', () => {
    expect(traceOf(faultOf({ headers: json({ traceparent: UNSAMPLED }) }, null))).toMatchObject({
      traceId: TRACE,
      spanId: 'b7ad6b7169203331',
    });
    expect(traceOf(faultOf({ headers: json({ traceparent: 'x' }) }, null))).toBeNull();
    expect(traceOf(faultOf({ headers: '[]' }, null))).toBeNull();
  });

  it('has its span in the dead letter, too, once', () => {
    let spans = 0;
    const tracer: MessageTracer = {
      begin: (parent) => {
        const trace = new Tracer().begin(parent);
        return trace && { ...trace, spanId: String(++spans).padStart(16, '0') };
      },
    };
    const deadLetter = { kind: 'topic', topic: 'dead' } as const;
    const router = createRouter([routeOf({ deadLetter })], table, ['kafka'], { tracer, column: null });
    const row = rowOf(table, { payload: '{}', headers: json({ traceparent: PARENT }) });
    const fault = router.route(row);
    const letter = router.deadLetter(fault, new RelayError('route_template', 'x'));
    expect(letter?.headers).toContainEqual(['traceparent', `00-${TRACE}-${'1'.padStart(16, '0')}-01`]);
    expect(traceOf(fault)?.spanId).toBe('1'.padStart(16, '0'));
    expect(letter?.headers.filter(([name]) => name === 'traceparent')).toHaveLength(1);
  });

  it('that no route takes tells of its trace', () => {
    const router = createRouter([routeOf({ match: { type: ['other'] } })], table, ['kafka']);
    const row = router.route(rowOf(table, { payload: '{}', headers: json({ traceparent: PARENT }) }));
    expect([row.fault?.code, traceOf(row)?.traceId]).toEqual(['route_none', TRACE]);
  });
});
