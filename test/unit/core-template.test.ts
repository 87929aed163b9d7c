import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeTemplate, parseTemplate } from '../../src/core/template.ts';

describe('parseTemplate', () => {
  it.each([
    ['', []],
    ['orders', ['orders']],
    ['${aggregatetype}', [{ column: 'aggregatetype', header: null }]],
    ['outbox.event.${aggregatetype}', ['outbox.event.', { column: 'aggregatetype', header: null }]],
    [
      '${a}${b}-${a}',
      [{ column: 'a', header: null }, { column: 'b', header: null }, '-', { column: 'a', header: null }],
    ],
    ['a$b{c}$', ['a$b{c}$']],
    ['$${literal} ${a}', ['${literal} ', { column: 'a', header: null }]],
    ['${headers}-${headers.x-key}', [{ column: 'headers', header: null }, '-', { column: 'headers', header: 'x-key' }]],
    ['${headers.}', [{ column: 'headers.', header: null }]],
    ['${Größe in cm}', [{ column: 'Größe in cm', header: null }]],
  ])('reads %j', (text, parts) => {
    expect(parseTemplate(text)).toEqual(parts);
  });

  it.each([
    ['orders.${type', 'position 8 is not closed'],
    ['x${}', 'position 2 is empty'],
    ['${ type }', 'write ${type}'],
    ['${a${b}}', 'position 1 is not a column name'],
    ['${env:HOME}', 'position 1 is not a column name'],
  ])('refuses %j', (text, message) => {
    expect(() => parseTemplate(text)).toThrow(RangeError);
    expect(() => parseTemplate(text)).toThrow(message);
  });

  it('reads an escaped text back as itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a', '${') }), (text) => {
        expect(parseTemplate(escapeTemplate(text))).toEqual(text === '' ? [] : [text]);
      }),
    );
  });
});
