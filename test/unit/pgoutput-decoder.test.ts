import fc from 'fast-check';
import { type Pgoutput, PgoutputPlugin } from 'pg-logical-replication';
import { describe, expect, test } from 'vitest';
import { decodePgoutput, type InsertMessage, tupleBounds } from '../../src/capture/stream/pgoutput-decoder.ts';
import { parseLsn } from '../../src/core/lsn.ts';
import * as encode from '../support/pgoutput-encoder.ts';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const name = fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => text.replaceAll('\0', '0'));
const columns = fc.array(fc.record({ name, typeOid: uint32 }), { maxLength: 20 });
const field = fc.option(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)));
/** Whatever precedes a message in its chunk. */
const before = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

const refused = expect.objectContaining({ code: 'replication_protocol' }) as unknown as Error;

function valuesOf(chunk: Buffer, start: number): (Buffer | null)[] {
  const bounds = tupleBounds(chunk, start);
  const values: (Buffer | null)[] = [];
  for (let at = 0; at < bounds.length; at += 2) {
    values.push(bounds[at] === -1 ? null : chunk.subarray(bounds[at], bounds[at + 1]));
  }
  return values;
}

describe('messages come out as they went in', () => {
  test('Begin, its time with all microseconds of this age, its xid unsigned', () => {
    const micros = fc.bigInt({ min: 0n, max: 3_000_000_000_000_000n });
    fc.assert(
      fc.property(before, uint64, micros, uint32, (prefix, commitLsn, time, xid) => {
        const chunk = Buffer.concat([prefix, encode.begin(commitLsn, time, xid)]);
        const message = decodePgoutput(chunk, prefix.length);
        expect(message).toEqual({ kind: 'begin', commitLsn, committedAt: expect.any(Number) as number, xid });
        const committedAt = message.kind === 'begin' ? message.committedAt : Number.NaN;
        expect(Math.round((committedAt - 946_684_800_000) * 1000)).toBe(Number(time));
      }),
    );
  });

  test('Commit', () => {
    fc.assert(
      fc.property(before, uint64, uint64, (prefix, commitLsn, endLsn) => {
        const chunk = Buffer.concat([prefix, encode.commit(commitLsn, endLsn)]);
        expect(decodePgoutput(chunk, prefix.length)).toEqual({ kind: 'commit', commitLsn, endLsn });
      }),
    );
  });

  test('Relation, with names of any script', () => {
    fc.assert(
      fc.property(before, uint32, name, name, columns, (prefix, relationId, schema, table, shape) => {
        const chunk = Buffer.concat([prefix, encode.relation(relationId, schema, table, shape)]);
        const expected = { kind: 'relation', relationId, schema, name: table, columns: shape };
        expect(decodePgoutput(chunk, prefix.length)).toEqual(expected);
      }),
    );
  });

  test('Insert, values byte by byte', () => {
    fc.assert(
      fc.property(before, uint32, fc.array(field, { maxLength: 20 }), (prefix, relationId, fields) => {
        const chunk = Buffer.concat([prefix, encode.insert(relationId, fields)]);
        const message = decodePgoutput(chunk, prefix.length);
        expect(message).toMatchObject({ kind: 'insert', relationId });
        expect(valuesOf(chunk, (message as InsertMessage).tupleAt)).toEqual(fields);
      }),
    );
  });

  test.each(['O', 'Y', 'U', 'D', 'T', 'M'])('%s is known and ignored', (letter) => {
    expect(decodePgoutput(Buffer.from(`${letter}whatever`))).toEqual({ kind: 'ignored' });
  });
});

const parser = (): PgoutputPlugin => new PgoutputPlugin({ protoVersion: 1, publicationNames: ['p'] });

describe('the same as pg-logical-replication', () => {
  test('Begin and Commit', () => {
    const time = fc.bigInt({ min: 1n, max: 2n ** 50n });
    const lsn = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(lsn, lsn, time, uint32, (commitLsn, endLsn, micros, xid) => {
        const bytes = encode.begin(commitLsn, micros, xid);
        const theirs = parser().parse(bytes) as Pgoutput.MessageBegin;
        expect(decodePgoutput(bytes)).toMatchObject({ commitLsn: parseLsn(theirs.commitLsn!), xid: theirs.xid >>> 0 });
        const committed = encode.commit(commitLsn, endLsn, micros);
        const their = parser().parse(committed) as Pgoutput.MessageCommit;
        expect(decodePgoutput(committed)).toMatchObject({ endLsn: parseLsn(their.commitEndLsn!) });
      }),
    );
  });
});

describe('garbage is refused, and nothing else happens', () => {
  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const chunk = Buffer.from(bytes);
        try {
          const message = decodePgoutput(chunk);
          if (message.kind === 'insert') tupleBounds(chunk, message.tupleAt);
        } catch (error) {
          expect(error).toEqual(refused);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('any bytes behind a letter that is decoded', () => {
    fc.assert(
      fc.property(fc.constantFrom('B', 'C', 'R', 'I'), fc.uint8Array({ maxLength: 80 }), (letter, bytes) => {
        const chunk = Buffer.concat([Buffer.from(letter), bytes]);
        try {
          const message = decodePgoutput(chunk);
          if (message.kind === 'insert') tupleBounds(chunk, message.tupleAt);
        } catch (error) {
          expect(error).toEqual(refused);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('every message that is cut short or goes on too long', () => {
    const whole = [
      encode.begin(7n, 8n, 9),
      encode.commit(7n, 8n),
      encode.relation(1, 'public', 'outbox', [{ name: 'id', typeOid: 25 }]),
      encode.insert(1, [Buffer.from('abc'), null, Buffer.alloc(0)]),
    ];
    const decodeAll = (chunk: Buffer): void => {
      const message = decodePgoutput(chunk);
      if (message.kind === 'insert') tupleBounds(chunk, message.tupleAt);
    };
    for (const message of whole) {
      expect(() => decodeAll(message)).not.toThrow();
      for (let length = 0; length < message.length; length++) {
        expect(() => decodeAll(message.subarray(0, length)), `${length} bytes`).toThrow(refused);
      }
      expect(() => decodeAll(Buffer.concat([message, Buffer.alloc(1)]))).toThrow(refused);
    }
  });

  test('messages of later protocol versions, and fields that an inserted row cannot have', () => {
    for (const letter of ['S', 'E', 'c', 'A', 'b', 'P', 'K', 'r', 'p', '']) {
      expect(() => decodePgoutput(Buffer.from(letter)), letter).toThrow(refused);
    }
    for (const kind of ['unchanged', 'binary'] as const) {
      const chunk = encode.insert(1, [kind]);
      expect(() => tupleBounds(chunk, 6), kind).toThrow(refused);
    }
  });
});
