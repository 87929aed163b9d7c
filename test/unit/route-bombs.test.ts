/** Rows that are made to hurt: what routing makes of them costs no more than they are long, and is their fault alone. */
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Routed } from '../../src/core/routing.ts';
import { parseHeaders } from '../../src/route/headers.ts';
import { createRouter } from '../../src/route/router.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

const TABLE = tableOf();
const MIB = 2 ** 20;

function routed(values: Readonly<Record<string, string>>, routes = [routeOf()]): Routed {
  return createRouter(routes, TABLE, ['kafka']).route(
    rowOf(TABLE, { aggregatetype: 'order', payload: '{}', ...values }),
  );
}

function fault(text: string): RelayError {
  try {
    parseHeaders(text);
  } catch (error) {
    if (error instanceof RelayError) return error;
    throw error;
  }
  throw new Error('no fault');
}

/** The shortest of a few runs: what else the machine does only makes them longer. */
function timeOf(run: () => void): number {
  const times = Array.from({ length: 5 }, () => {
    const started = performance.now();
    run();
    return performance.now() - started;
  });
  return Math.min(...times);
}

describe('a headers column that is a bomb', () => {
  it.each([
    ['arrays', '['],
    ['objects', '{"a":'],
    ['an object of arrays', '{"a":['],
  ])('of a million nested %s is the fault of its row', (_, open) => {
    const { message, fault: found } = routed({ headers: open.repeat(MIB) });
    expect(message).toBeNull();
    expect(found?.code).toBe('route_headers');
  });

  it.each([
    // no more than so many: beyond it the collector takes most of the time, which grows faster
    ['many headers', (size: number) => `{${Array.from({ length: size / 32 }, () => '"a":"b"').join()}}`],
    ['one long value', (size: number) => `{"a":"${'x'.repeat(size)}"}`],
    ['escapes', (size: number) => `{"a":"${'\\u0041'.repeat(size / 6)}"}`],
    ['blanks', (size: number) => `{${' '.repeat(size)}"a":"b"${'\n'.repeat(size)}}`],
    ['digits', (size: number) => `{"a":${'9'.repeat(size)}}`],
    ['digits that are no number', (size: number) => `{"a":${'9'.repeat(size)}e}`],
    ['a text without an end', (size: number) => `{"a":"${'\\\\'.repeat(size)}`],
    ['blanks before nothing', (size: number) => ' '.repeat(size)],
  ])('of %s is read or refused in time that grows as it does', (_, textOf) => {
    const read = (text: string) => () => {
      try {
        parseHeaders(text);
      } catch (error) {
        expect(error).toBeInstanceOf(RelayError);
      }
    };
    const small = timeOf(read(textOf(MIB / 4)));
    const large = timeOf(read(textOf(4 * MIB)));
    // sixteen times as long: what is quadratic takes 256 times as long
    expect(large).toBeLessThan(100 * Math.max(small, 1));
  });

  it('says what is wrong in few words, whatever is in it', () => {
    for (const text of [`{"${'x'.repeat(MIB)}": {}}`, `{"a": "b"} ${'x'.repeat(MIB)}`, `{${'x'.repeat(MIB)}`]) {
      expect(fault(text).message.length).toBeLessThan(250);
    }
  });

  it.each([
    ['line ends', String.raw`{"a\r\nx-forged": "b\r\nx-forged: c"}`, [['a\r\nx-forged', 'b\r\nx-forged: c']]],
    ['NUL', String.raw`{"a\u0000b": "c\u0000d"}`, [['a\0b', 'c\0d']]],
    ['half surrogate pairs', String.raw`{"\ud800": "\udc00"}`, [['\ud800', '\udc00']]],
  ])('with %s has them inside one name and one value: nothing in them begins another header', (_, text, headers) => {
    expect(parseHeaders(text)).toEqual(headers);
  });

  it('cannot give the names that each message has a place of its own for', () => {
    const { message } = routed({ headers: '{"id": "forged", "type": "forged", "\\u0069d": "forged", "kept": "x"}' });
    expect(message?.headers).toEqual([['kept', 'x']]);
  });
});

describe('names from templates', () => {
  it('are kept for reuse, those that any broker could take', () => {
    const router = createRouter([routeOf()], TABLE, ['kafka']);
    const addressOf = (aggregatetype: string) =>
      router.route(rowOf(TABLE, { aggregatetype, payload: '{}' })).message?.address;
    expect(addressOf('order')).toBe(addressOf('order'));
    const long = addressOf('x'.repeat(MIB));
    expect(long).toEqual({ kind: 'topic', topic: `outbox.event.${'x'.repeat(MIB)}` });
    expect(addressOf('x'.repeat(MIB))).not.toBe(long);
  });

  it('that no route takes are told in few words', () => {
    const { fault: found } = routed({ aggregatetype: 'x'.repeat(MIB) }, [
      routeOf({ match: { aggregatetype: ['order'] } }),
    ]);
    expect(found).toMatchObject({ code: 'route_none' });
    expect(found?.message.length).toBeLessThan(250);
  });
});
