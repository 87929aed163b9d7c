import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CopyDecoder } from '../../src/capture/table/copy-decoder.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { ColumnValue, OutboxRow } from '../../src/core/row.ts';

interface Source {
  readonly position: bigint;
  readonly id: string;
  /** Microseconds since 2000-01-01; null for SQL null. */
  readonly createdAt: bigint | null;
  readonly values: readonly ColumnValue[];
}

/** Of the columns behind the leading three, which stay bytes. */
const STAYS_BYTES = [true, false, true];

function field(bytes: Buffer | null): Buffer {
  return bytes === null ? int32(-1) : Buffer.concat([int32(bytes.length), bytes]);
}

function int8(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** @param claimed the length that it tells of its extension */
function header(extension: Buffer = Buffer.alloc(0), claimed: number = extension.length): Buffer {
  return Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(4), int32(claimed), extension]);
}

function tuple(row: Source): Buffer {
  const fields = [
    field(int8(row.position)),
    field(Buffer.from(row.id)),
    field(row.createdAt === null ? null : int8(row.createdAt)),
    ...row.values.map((value) => field(typeof value === 'string' ? Buffer.from(value) : value)),
  ];
  return Buffer.concat([int16(fields.length), ...fields]);
}

function copyOf(rows: readonly Source[], extension?: Buffer): Buffer {
  return Buffer.concat([header(extension), ...rows.map(tuple), int16(-1)]);
}

/** Feeds `bytes` cut at `cuts`, each chunk in a buffer that is overwritten afterwards, as pg's parser does. */
function decode(bytes: Buffer, cuts: readonly number[]): { rows: OutboxRow[]; ended: boolean } {
  const decoder = new CopyDecoder(STAYS_BYTES);
  const rows: OutboxRow[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    const chunk = Buffer.from(bytes.subarray(start, end));
    decoder.push(chunk, rows);
    chunk.fill(0xee);
    start = end;
  }
  return { rows, ended: decoder.ended };
}

function expected(rows: readonly Source[]): OutboxRow[] {
  return rows.map((row) => ({
    position: row.position,
    id: row.id,
    values: row.values,
    lane: 'table',
    xid: null,
    since: row.createdAt === null ? Number.NaN : Number(row.createdAt) / 1000 + Date.UTC(2000, 0, 1),
  }));
}

const someBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const someText = fc.string({ unit: 'grapheme', maxLength: 60 });
const sources = fc.array(
  fc.record<Source>({
    position: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    id: fc.string({ unit: 'grapheme' }),
    createdAt: fc.option(fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n })),
    values: fc.tuple(...STAYS_BYTES.map((stays) => fc.option<ColumnValue>(stays ? someBytes : someText))),
  }),
  { maxLength: 12 },
);

describe('CopyDecoder', () => {
  test('gives the same rows whatever the chunks', () => {
    fc.assert(
      fc.property(sources, fc.array(fc.nat(), { maxLength: 40 }), (rows, cuts) => {
        const decoded = decode(copyOf(rows), cuts);
        expect(decoded.rows).toEqual(expected(rows));
        expect(decoded.ended).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('gives the same rows byte by byte', () => {
    const rows: Source[] = [
      { position: 1n, id: 'a', createdAt: 0n, values: [Buffer.from('x'), null, Buffer.alloc(0)] },
      { position: 2n ** 62n, id: 'ä€', createdAt: null, values: [null, null, null] },
    ];
    const bytes = copyOf(rows);
    expect(decode(bytes, [...bytes.keys()]).rows).toEqual(expected(rows));
  });

  test('skips an extension of the header', () => {
    const rows: Source[] = [{ position: 7n, id: 'a', createdAt: 1_500n, values: [null, null, Buffer.from('v')] }];
    const bytes = copyOf(rows, Buffer.from('future'));
    expect(decode(bytes, [20]).rows).toEqual(expected(rows));
  });

  test('takes a row of many chunks in linear time', () => {
    const value = Buffer.alloc(8 << 20, 'v');
    const rows: Source[] = [{ position: 1n, id: 'a', createdAt: null, values: [value, null, null] }];
    const bytes = copyOf(rows);
    const cuts = Array.from({ length: Math.floor(bytes.length / 512) }, (_, index) => index * 512);
    const started = performance.now();
    expect(value.equals(decode(bytes, cuts).rows[0]?.values[0] as Buffer)).toBe(true);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test.each([2n ** 63n - 1n, -(2n ** 63n)])('an infinite time is not a number: %s', (createdAt) => {
    const bytes = copyOf([{ position: 1n, id: 'a', createdAt, values: [null, null, null] }]);
    expect(decode(bytes, []).rows[0]?.since).toBeNaN();
  });

  test('has not ended before the trailer', () => {
    const bytes = copyOf([{ position: 1n, id: 'a', createdAt: null, values: [null, null, null] }]);
    const decoder = new CopyDecoder(STAYS_BYTES);
    const rows: OutboxRow[] = [];
    decoder.push(bytes.subarray(0, -1), rows);
    expect([rows.length, decoder.ended]).toEqual([1, false]);
  });

  test.each([
    ['no signature', Buffer.alloc(40)],
    ['too many columns', Buffer.concat([header(), int16(7), Buffer.alloc(8)])],
    ['bytes after the trailer', Buffer.concat([copyOf([]), Buffer.from('x')])],
  ])('refuses %s', (_, bytes) => {
    expect(() => decode(bytes, [])).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  test('names the row that has no id', () => {
    const fields = [field(int8(42n)), field(null), field(null), field(null), field(null), field(null)];
    const bytes = Buffer.concat([header(), int16(6), ...fields]);
    expect(() => decode(bytes, [])).toThrow(
      expect.objectContaining({ code: 'postgres_schema', message: expect.stringContaining('42') as string }),
    );
  });
});

describe('CopyDecoder, of bytes that lie', () => {
  const LEADING = [field(int8(1n)), field(Buffer.from('a')), field(null)];
  const malformed = expect.objectContaining({ code: 'internal' }) as unknown as Error;

  test.each([-2, -5, -(2 ** 31), 2 ** 30, 2 ** 31 - 1])(
    'refuses a length of %d at once, wherever it stands',
    (length) => {
      for (const behind of [0, 1, 2, 3, 4, 5]) {
        const fields = [...LEADING, field(null), field(null), field(null)].slice(0, behind);
        const bytes = Buffer.concat([header(), int16(6), ...fields, int32(length), Buffer.alloc(64)]);
        expect(() => decode(bytes, []), `behind ${behind} fields`).toThrow(malformed);
      }
      expect(() => decode(Buffer.concat([header(Buffer.alloc(64), length)]), [])).toThrow(malformed);
    },
  );

  test('refuses a field that makes the row larger than any, before anything of it has come', () => {
    const bytes = Buffer.concat([header(), int16(6), field(int8(1n)), int32(2 ** 30 - 1)]);
    expect(() => decode(bytes, [])).toThrow(malformed);
  });

  test.each([0, 4, 7, 9])('refuses a position and a time of %d bytes', (length) => {
    const wrong = field(Buffer.alloc(length));
    const others = [field(null), field(null), field(null)];
    for (const leading of [
      [wrong, LEADING[1]!, LEADING[2]!],
      [LEADING[0]!, LEADING[1]!, wrong],
    ]) {
      const bytes = Buffer.concat([header(), int16(6), ...leading, ...others, int16(-1)]);
      expect(() => decode(bytes, [])).toThrow(malformed);
    }
  });

  test('whatever is changed, it gives rows or says what is wrong, and nothing else happens', () => {
    const change = fc.record({ at: fc.nat(), value: fc.constantFrom(0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff) });
    fc.assert(
      fc.property(
        sources,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat()),
        (rows, changes, cuts) => {
          const bytes = copyOf(rows);
          for (const { at, value } of changes) bytes[at % bytes.length] = value;
          try {
            expect(decode(bytes, cuts).rows.length).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(RelayError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
