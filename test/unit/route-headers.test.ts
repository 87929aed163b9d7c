import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import { parseHeaders } from '../../src/route/headers.ts';

function faultOf(text: string): RelayError {
  try {
    parseHeaders(text);
  } catch (error) {
    if (error instanceof RelayError) return error;
    throw error;
  }
  throw new Error(`no fault in ${text}`);
}

describe('parseHeaders', () => {
  it.each([
    ['{}', []],
    [' null ', []],
    ['{"a": "b"}', [['a', 'b']]],
    [' {\n"a" :\t"b" , "c":"" } ', [['a', 'b'], ['c', '']]], // prettier-ignore
    ['{"yes": true, "no": false, "nothing": null}', [['yes', 'true'], ['no', 'false']]], // prettier-ignore
    ['{"a": "1", "a": "2"}', [['a', '1'], ['a', '2']]], // prettier-ignore
    ['{"2": "second", "1": "first"}', [['2', 'second'], ['1', 'first']]], // prettier-ignore
    ['{"__proto__": "x"}', [['__proto__', 'x']]],
    [String.raw`{"\u00e4\"": "\\\n\ud83d\ude00"}`, [['ä"', '\\\n😀']]],
  ])('reads %s', (text, headers) => {
    expect(parseHeaders(text)).toEqual(headers);
  });

  it.each(['9007199254740993', '-0', '1e400', '0.10', '12345678901234567890.12345678901234567890', '1E-7'])(
    'keeps the number %s as it is written',
    (number) => {
      expect(parseHeaders(`{"n": ${number}}`)).toEqual([['n', number]]);
    },
  );

  it('are none in an empty text', () => expect(parseHeaders('')).toEqual([]));

  it.each(['{"a": {"b": 1}}', '{"a": [1]}', '[]', '"text"', '5', 'true', ' '])(
    'refuses %j, which is not flat',
    (text) => {
      expect(faultOf(text).code).toBe('route_headers');
    },
  );

  it.each([
    '{',
    '{"a"',
    '{"a":',
    '{"a":"b',
    '{"a":"b"',
    '{"a":"b",}',
    '{"a":"b"} x',
    '{a:"b"}',
    '{"a":01}',
    '{"a":"\n"}',
  ])('refuses %j, which is malformed', (text) => {
    expect(faultOf(text).code).toBe('route_headers');
  });

  it('names the header, and never tells a value', () => {
    const { message } = faultOf('{"card": ["4111111111111111"]}');
    expect(message).toContain("'card'");
    expect(message).not.toContain('4111');
  });

  it('reads all that JSON.stringify writes', () => {
    const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)); // prettier-ignore
    const members = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), value));
    fc.assert(
      fc.property(members, fc.constantFrom('', ' ', '\n\t'), (entries, blank) => {
        const json = entries.map(
          ([name, each]) => `${blank}${JSON.stringify(name)}${blank}:${blank}${JSON.stringify(each)}`,
        );
        const expected = entries
          .filter(([, each]) => each !== null)
          .map(([name, each]) => [name, typeof each === 'string' ? each : JSON.stringify(each)]);
        expect(parseHeaders(`{${json.join(`${blank},`)}${blank}}`)).toEqual(expected);
      }),
    );
  });

  it('accepts exactly the flat objects among what JSON.parse accepts', () => {
    const snippets = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"',
      '\\',
      '1',
      '-',
      '.5',
      'e3',
      'null',
      'tru',
      ' ',
    );
    fc.assert(
      fc.property(
        fc.array(snippets, { minLength: 1, maxLength: 9 }).map((parts) => parts.join('')),
        (text) => {
          expect(accepts(text, parseHeaders)).toBe(accepts(text, flatObject));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

function flatObject(text: string): void {
  const value: unknown = JSON.parse(text);
  if (value === null) return;
  if (typeof value !== 'object' || Array.isArray(value)) throw new SyntaxError('not an object');
  // Only what is written counts: a nested value hidden by a later member of the same name is still there.
  if (
    /[[{]/.test(
      text
        .replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
        .trimStart()
        .slice(1),
    )
  )
    throw new SyntaxError('nested');
}

function accepts(text: string, parse: (text: string) => unknown): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
