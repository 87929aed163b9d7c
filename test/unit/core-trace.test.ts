import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTraceparent, parseTraceparent } from '../../src/core/trace.ts';
import { contextIn } from '../../src/core/trace-propagation.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

const hex = (digits: number) =>
  fc
    .array(
      fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16)),
      { minLength: digits, maxLength: digits },
    )
    .map((each) => each.join(''))
    .filter((text) => !/^0+$/.test(text));

describe('a traceparent', () => {
  it('is read and written', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (traceId, spanId, flags) => {
        const context = { traceId, spanId, flags };
        expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
      }),
    );
  });

  it.each([
    ['of a later version', `01-${TRACE}-${SPAN}-01`],
    ['of a later version with something appended', `cc-${TRACE}-${SPAN}-01-what-else`],
  ])('%s is read', (_, text) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1 });
  });

  it.each([
    ['nothing', ''],
    ['a word', 'nonsense'],
    ['the version that is forbidden', `ff-${TRACE}-${SPAN}-01`],
    ['something appended to version 00', `00-${TRACE}-${SPAN}-01-x`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capital digits', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['blanks around it', ` 00-${TRACE}-${SPAN}-01`],
    ['a line that goes on', `00-${TRACE}-${SPAN}-01\n`],
  ])('is not read from %s', (_, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});

describe('headers', () => {
  const parent = `00-${TRACE}-${SPAN}-01`;

  it('carry a context, whatever the case of their names', () => {
    const headers = [['a', 'b'] as const, ['Traceparent', parent] as const, ['TraceState', 'x=1'] as const];
    expect(contextIn(headers)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1, state: 'x=1' });
  });

  it('carry none', () => {
    expect(contextIn([['tracestate', 'x=1']])).toBe('none');
  });

  it('carry a malformed one, or two', () => {
    expect(contextIn([['traceparent', 'x']])).toBe('malformed');
    const twice = ['traceparent', parent] as const;
    expect(contextIn([twice, twice])).toBe('malformed');
  });

  it('carry tracestate in several parts', () => {
    const context = contextIn([
      ['tracestate', 'a=1'],
      ['traceparent', parent],
      ['tracestate', 'b=2'],
    ]);
    expect(context).toMatchObject({ state: 'a=1,b=2' });
  });
});
