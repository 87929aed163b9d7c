import { describe, expect, it } from 'vitest';
import { createRouter } from '../../src/route/router.ts';
import { eventMessage, EVENT_TRACEPARENT as TRACEPARENT, eventsOf, ORDER } from './cloudevents-support.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

describe('the trace of an event', () => {
  const begin = () => ({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'ffffffffffffffff',
    flags: 1,
    state: null,
    parentSpanId: null,
    startedAt: 0,
    startedTick: 0,
  });

  it('is in its attributes that of the insert, in the plain header that of the message', () => {
    const table = tableOf({ carrier: 'text' });
    const spec = routeOf({ cloudEvents: eventsOf() });
    const router = createRouter([spec], table, ['kafka'], { tracer: { begin }, column: 'carrier' });
    const carrier = `traceparent=${TRACEPARENT}\ntracestate=a=b`;
    const { message } = router.route(rowOf(table, { ...ORDER, carrier }));
    expect(Object.fromEntries(message!.headers)).toMatchObject({
      ce_traceparent: TRACEPARENT,
      ce_tracestate: 'a=b',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-ffffffffffffffff-01',
      tracestate: 'a=b',
    });
  });

  it.each([
    ['malformed', { traceparent: 'x' }],
    ['given twice', `{"traceparent": "${TRACEPARENT}", "Traceparent": "${TRACEPARENT}"}`],
    ['not wanted', { traceparent: TRACEPARENT }, false],
  ])('is no attribute when %s', (_, headers, traceContext = true) => {
    const text = typeof headers === 'string' ? headers : JSON.stringify(headers);
    const message = eventMessage({ traceContext }, { ...ORDER, headers: text });
    expect(message.headers.map(([name]) => name)).not.toContain('ce_traceparent');
    expect(message.headers.map(([name]) => name)).toContain('traceparent');
  });
});
