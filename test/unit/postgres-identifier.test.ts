import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  companionTables,
  derivedName,
  quoteIdentifier,
  quoteLiteral,
  quoteTable,
} from '../../src/postgres/identifier.ts';
import { fillIn, MIGRATIONS, SQL_FOLDER } from '../../src/postgres/migrate.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });
const fits = (text: string): boolean => text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= 63;

describe('quoting', () => {
  test('a quoted name is one quoted name, and reads back as it was', () => {
    fc.assert(
      fc.property(anyText.filter(fits), (name) => {
        const quoted = quoteIdentifier(name);
        expect(quoted).toMatch(/^"([^"]|"")+"$/);
        expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name);
      }),
    );
  });

  test('a name that Postgres would cut off or cannot hold is refused', () => {
    fc.assert(
      fc.property(
        anyText.filter((text) => !fits(text)),
        (name) => {
          expect(() => quoteIdentifier(name)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
        },
      ),
    );
    expect(quoteIdentifier('x'.repeat(63))).toHaveLength(65);
    expect(() => quoteIdentifier('ü'.repeat(32))).toThrow('cannot be the name');
  });

  test('tables and texts', () => {
    expect(quoteTable({ schema: 'a"b', name: 'Out.box' })).toBe('"a""b"."Out.box"');
    expect(quoteLiteral("it's")).toBe("'it''s'");
    expect(quoteLiteral(String.raw`a\'b`)).toBe(String.raw`E'a\\''b'`);
    expect(() => quoteLiteral('a\0b')).toThrow('NUL');
  });
});

describe('names of the tables beside the outbox', () => {
  test('are made of its name', () => {
    const { parked, lease, schemaVersion } = companionTables({ schema: 's', name: 'outbox' });
    expect([parked, lease, schemaVersion].map(({ schema, name }) => `${schema}.${name}`)).toEqual([
      ...['s.outbox_parked', 's.outbox_lease', 's.outbox_schema_version'],
    ]);
  });

  test('always fit, keep their ending, and differ where the outbox tables differ', () => {
    const long = fc
      .tuple(fc.constantFrom('x', 'ü', '𝄞'), fc.integer({ min: 1, max: 63 }))
      .map(([unit, n]) => unit.repeat(n));
    fc.assert(
      fc.property(long.filter(fits), fc.constantFrom('_parked', '_schema_version'), (base, suffix) => {
        const name = derivedName(base, suffix);
        expect(fits(name)).toBe(true);
        expect(name.endsWith(suffix)).toBe(true);
        const other = `${base.slice(0, -1)}y`;
        if (fits(other) && other !== base) expect(derivedName(other, suffix)).not.toBe(name);
      }),
    );
  });
});

describe('migrations', () => {
  test('are the files of the folder, numbered without a gap', async () => {
    const files = (await readdir(SQL_FOLDER)).filter((file) => file.endsWith('.sql')).sort();
    expect(MIGRATIONS.map(({ file }) => file)).toEqual(files);
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(files.map((_, index) => index + 1));
    for (const { version, file } of MIGRATIONS) expect(Number.parseInt(file, 10)).toBe(version);
  });

  test('placeholders are replaced once, and an unknown one is an error', () => {
    expect(fillIn('-- gone {{x}}\nA {{a}} {{a}} -- stays\n', { a: '"{{b}}"' })).toBe('A "{{b}}" "{{b}}" -- stays\n');
    expect(() => fillIn('{{nowhere}}', {})).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});
