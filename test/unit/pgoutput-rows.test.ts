import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BeginMessage,
  decodePgoutput,
  type InsertMessage,
  type RelationMessage,
} from '../../src/capture/stream/pgoutput-decoder.ts';
import { RowDecoder } from '../../src/capture/stream/row-decoder.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import * as encode from '../support/pgoutput-encoder.ts';
import { outboxTable } from '../support/stream-harness.ts';

const TABLE = outboxTable({
  schema: 'app',
  reads: [
    { name: 'key', type: 'text' },
    { name: 'payload', type: 'bytea' },
  ],
});
const POSITION = { name: 'position', typeOid: 20 };
const ID = { name: 'id', typeOid: 2950 };
const KEY = { name: 'key', typeOid: 25 };
const PAYLOAD = { name: 'payload', typeOid: 17 };
const BEGIN: BeginMessage = { kind: 'begin', commitLsn: 1n, committedAt: 5.5, xid: 77 };

const failure = (code: string): Error => expect.objectContaining({ code }) as Error;

function described(columns: readonly { name: string; typeOid: number }[], table: OutboxTable = TABLE): RowDecoder {
  const decoder = new RowDecoder(table);
  decoder.relation(decodePgoutput(encode.relation(1, 'app', 'outbox', columns)) as RelationMessage);
  return decoder;
}

function decodeRow(decoder: RowDecoder, fields: readonly encode.EncodedField[], relationId = 1) {
  const chunk = encode.insert(relationId, fields);
  return decoder.row(chunk, decodePgoutput(chunk) as InsertMessage, BEGIN);
}

const text = (value: string): Buffer => Buffer.from(value);
const hex = (bytes: Uint8Array): Buffer => Buffer.from(`\\x${Buffer.from(bytes).toString('hex')}`);

describe('a row', () => {
  test('has its values in the order of the layout, whatever the order of the columns', () => {
    const cells: Record<string, Buffer> = {
      position: text('12'),
      id: text('i-1'),
      key: text('k'),
      payload: hex(Uint8Array.of(1, 2)),
    };
    fc.assert(
      fc.property(fc.shuffledSubarray([POSITION, ID, KEY, PAYLOAD], { minLength: 4 }), fc.nat(4), (columns, gap) => {
        const all = columns.toSpliced(gap, 0, { name: 'added', typeOid: 25 });
        const decoded = decodeRow(
          described(all),
          all.map(({ name }) => cells[name] ?? null),
        );
        expect(decoded?.row).toEqual({
          position: 12n,
          id: 'i-1',
          values: ['k', Buffer.from([1, 2])],
          lane: 'stream',
          xid: 77,
          since: 5.5,
        });
      }),
    );
  });

  test('has any bigint as position, exactly', () => {
    const decoder = described([POSITION, ID, KEY, PAYLOAD]);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (position) => {
        expect(decodeRow(decoder, [text(String(position)), text('i'), null, null])?.row.position).toBe(position);
      }),
      { examples: [[2n ** 53n + 1n], [999_999_999_999_999n], [1_000_000_000_000_000n], [0n], [-1n]] },
    );
  });

  test('has the bytes of a bytea, and null for null', () => {
    const decoder = described([POSITION, ID, KEY, PAYLOAD]);
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const decoded = decodeRow(decoder, [text('1'), text('i'), null, hex(bytes)]);
        expect(decoded?.row.values).toEqual([null, Buffer.from(bytes)]);
      }),
    );
    expect(decodeRow(decoder, [text('1'), text('i'), text(''), null])?.row.values).toEqual(['', null]);
  });

  test.each(['jsonb', 'bytea'])(
    'has its text in strings, but for the payload, a %s; and the chunk may be overwritten',
    (type) => {
      const reads = [
        { name: 'key', type: 'text' },
        { name: 'payload', type },
      ];
      const columns = [POSITION, ID, KEY, { name: 'payload', typeOid: type === 'bytea' ? 17 : 3802 }];
      const payload = text('{"ö":1}');
      const chunk = encode.insert(1, [text('1'), text('i'), text('ä€'), type === 'bytea' ? hex(payload) : payload]);
      const decoder = described(columns, outboxTable({ schema: 'app', reads }));
      const decoded = decoder.row(chunk, decodePgoutput(chunk) as InsertMessage, BEGIN);
      chunk.fill(0xff);
      expect(decoded?.row).toMatchObject({ position: 1n, id: 'i', values: ['ä€', payload] });
    },
  );

  test('counts at least its bytes', () => {
    const decoder = described([POSITION, ID, KEY, PAYLOAD]);
    const decoded = decodeRow(decoder, [text('1'), text('i'), Buffer.alloc(5000), hex(Buffer.alloc(3000))]);
    expect(decoded?.bytes).toBeGreaterThan(5000 + 3000);
  });
});

describe('tables', () => {
  test('rows of others are left out, also those of partitions and of the same name elsewhere', () => {
    const decoder = described([POSITION, ID, KEY, PAYLOAD]);
    for (const [relationId, schema, name] of [
      [2, 'app', 'outbox_2026'],
      [3, 'public', 'outbox'],
    ] as const) {
      decoder.relation(decodePgoutput(encode.relation(relationId, schema, name, [KEY])) as RelationMessage);
      expect(decodeRow(decoder, [text('k')], relationId)).toBeNull();
    }
  });

  test('a new shape replaces the old one', () => {
    const decoder = described([POSITION, ID, KEY, PAYLOAD]);
    decoder.relation(
      decodePgoutput(encode.relation(1, 'app', 'outbox', [PAYLOAD, KEY, POSITION, ID])) as RelationMessage,
    );
    const decoded = decodeRow(decoder, [null, text('k'), text('4'), text('i')]);
    expect(decoded?.row).toMatchObject({ position: 4n, id: 'i', values: ['k', null] });
  });

  test.each([
    ['the position', [ID, KEY, PAYLOAD]],
    ['the id', [POSITION, KEY, PAYLOAD]],
    ['a column that is read', [POSITION, ID, PAYLOAD]],
  ])('one without %s is refused by name', (_, columns) => {
    expect(() => described(columns)).toThrow(failure('replication_unavailable'));
  });

  test('a column that turned into or from bytea is refused: its values would be other bytes', () => {
    expect(() => described([POSITION, ID, KEY, { name: 'payload', typeOid: 25 }])).toThrow(
      failure('replication_unavailable'),
    );
    expect(() => described([POSITION, ID, { name: 'key', typeOid: 17 }, PAYLOAD])).toThrow(
      failure('replication_unavailable'),
    );
  });
});

describe('what cannot be is refused', () => {
  test.each<[string, readonly encode.EncodedField[]]>([
    ['too few fields', [text('1'), text('i'), null]],
    ['too many fields', [text('1'), text('i'), null, null, null]],
    ['no position', [null, text('i'), null, null]],
    ['no id', [text('1'), null, null, null]],
    ['a position with a fraction', [text('1.5'), text('i'), null, null]],
    ['an empty position', [text(''), text('i'), null, null]],
    ['a long position that is no number', [text('12345678901234567890x'), text('i'), null, null]],
    ['a bytea in escape format', [text('1'), text('i'), null, text('abc')]],
    ['a bytea that is not hex', [text('1'), text('i'), null, text('\\x0g')]],
    ['half a byte', [text('1'), text('i'), null, text('\\x012')]],
    ['an unchanged value', [text('1'), text('i'), 'unchanged', null]],
  ])('%s', (_, fields) => {
    const decoder = described([POSITION, ID, KEY, PAYLOAD]);
    expect(() => decodeRow(decoder, fields)).toThrow(failure('replication_protocol'));
  });

  test('a row of a table that was never described', () => {
    expect(() => decodeRow(new RowDecoder(TABLE), [text('1')])).toThrow(failure('replication_protocol'));
  });
});
