/** What the direct driver writes, read by the library's own reader. */
import {
  compressionsAlgorithms,
  crc32c,
  jsCRC32C,
  produceV8,
  Reader,
  readRecordsBatch,
  type RecordsBatch,
} from '@platformatic/kafka';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { Batch, PartitionShare } from '../../src/publish/kafka/batch.ts';
import { ProducerState } from '../../src/publish/kafka/direct/producer-state.ts';
import { produceRequestSize, writeProduceRequest } from '../../src/publish/kafka/direct/produce-request.ts';
import {
  RECORD_BATCH_OVERHEAD,
  writeRecordBatch,
  type RecordBatchTools,
} from '../../src/publish/kafka/direct/record-batch.ts';
import { RecordWriter } from '../../src/publish/kafka/direct/record-writer.ts';
import { varintSize, writeVarint } from '../../src/publish/kafka/direct/varint.ts';
import type { KafkaCompression } from '../../src/publish/kafka/options.ts';
import { recordSize } from '../../src/publish/kafka/record-size.ts';

type Fields = Pick<OutgoingMessage, 'key' | 'body' | 'type' | 'headers'> & { readonly id: string };

function messageOf({ id, ...fields }: Fields): OutgoingMessage {
  return {
    row: { position: 1n, id, values: [], lane: 'table', xid: null, since: NaN },
    address: { kind: 'topic', topic: 'topic' },
    contentType: 'text/plain',
    route: 0,
    bytes: 0,
    ...fields,
  };
}

const text = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.constantFrom('', 'trace', 'x'.repeat(63), 'x'.repeat(64), 'ä'.repeat(64), 'x'.repeat(9_000), '😀'.repeat(40)),
);

/** Lengths around those where the varint of the record becomes longer. */
const body = fc
  .oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 8_000, max: 8_300 }), fc.constant(70_000))
  .map((length) => Buffer.alloc(length, 'body of a message '));

const message: fc.Arbitrary<OutgoingMessage> = fc
  .record({
    id: fc.oneof(fc.uuid(), text),
    key: fc.option(text),
    body: fc.option(body),
    type: fc.option(text),
    headers: fc.array(fc.tuple(fc.oneof(fc.constantFrom('a', 'b', 'id', 'type'), text), text), { maxLength: 6 }),
  })
  .map(messageOf);

const timestamp = fc.integer({ min: 0, max: 8_640_000_000_000_000 });
const compression = fc.constantFrom<KafkaCompression>('none', 'gzip', 'snappy', 'lz4');

function toolsOf(algorithm: KafkaCompression): RecordBatchTools {
  const { bitmask, compressSync } = compressionsAlgorithms[algorithm];
  return { records: new RecordWriter(), crc32c, codec: bitmask === 0 ? null : { bitmask, compress: compressSync } };
}

function shareOf(messages: readonly OutgoingMessage[], members: readonly number[], partition = 0, topic = 'topic') {
  return { topic, partition, members, bytes: members.reduce((sum, at) => sum + recordSize(messages[at]!), 0) };
}

/** What the library reads of the records, as texts; null where there is none. */
function contentsOf({ records }: RecordsBatch): unknown {
  return records.map(({ key, value, headers }) => [
    key === null ? null : key.toString(),
    value === null ? null : value.toString('hex'),
    [...headers].map(([name, content]) => [name?.toString(), content?.toString()]),
  ]);
}

function expectedContents(messages: readonly OutgoingMessage[]): unknown {
  return messages.map(({ row, key, body: bytes, type, headers }) => [
    key,
    bytes === null ? null : bytes.toString('hex'),
    [['id', row.id], ...(type === null ? [] : [['type', type]]), ...headers],
  ]);
}

describe('a record batch', () => {
  test('is read by the library as what was written, with a right checksum', () => {
    const tools = new Map((['none', 'gzip', 'snappy', 'lz4'] as const).map((name) => [name, toolsOf(name)]));
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 12 }),
        timestamp,
        compression,
        fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
        fc.integer({ min: 0, max: 0x7fff }),
        fc.integer({ min: 0, max: 200 }),
        (messages, when, algorithm, producerId, producerEpoch, start) => {
          const batch: Batch = { messages, shares: [], timestamp: when };
          const share = shareOf(messages, [...messages.keys()]);
          const buffer = Buffer.alloc(start + RECORD_BATCH_OVERHEAD + share.bytes, 0xee);
          const producer = new ProducerState(producerId, producerEpoch);
          producer.stored(
            shareOf(
              messages,
              Array.from({ length: 77 }, () => 0),
            ),
          );
          const end = writeRecordBatch(buffer, start, { batch, share, producer }, tools.get(algorithm)!);
          const bytes = buffer.subarray(start, end);
          expect(buffer.subarray(0, start).every((byte) => byte === 0xee)).toBe(true);
          const read = readRecordsBatch(Reader.from(bytes));
          expect(contentsOf(read)).toEqual(expectedContents(messages));
          expect(read.records.map(({ offsetDelta, timestampDelta }) => [offsetDelta, timestampDelta])).toEqual(
            messages.map((_, at) => [at, 0n]),
          );
          const bitmask = read.attributes === 0 ? 0 : compressionsAlgorithms[algorithm].bitmask;
          expect(read).toMatchObject({
            firstOffset: 0n,
            length: bytes.length - 12,
            magic: 2,
            attributes: bitmask,
            lastOffsetDelta: messages.length - 1,
            firstTimestamp: BigInt(when),
            maxTimestamp: BigInt(when),
            producerId,
            producerEpoch,
            firstSequence: 77,
          });
          expect(read.crc).toBe(jsCRC32C(bytes.subarray(21)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('is compressed where that makes it smaller', () => {
    const messages = [messageOf({ id: '1', key: 'k', body: Buffer.alloc(5_000, 'again '), type: null, headers: [] })];
    const batch = { messages, shares: [], timestamp: 0 };
    const share = shareOf(messages, [0]);
    const buffer = Buffer.alloc(RECORD_BATCH_OVERHEAD + share.bytes);
    for (const algorithm of ['gzip', 'snappy', 'lz4'] as const) {
      const end = writeRecordBatch(buffer, 0, { batch, share, producer: new ProducerState(1n, 0) }, toolsOf(algorithm));
      expect(end).toBeLessThan(1_000);
      expect(readRecordsBatch(Reader.from(buffer.subarray(0, end))).attributes).toBe(
        compressionsAlgorithms[algorithm].bitmask,
      );
    }
  });

  test('of the same batch has the very same bytes again', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), compression, (messages, algorithm) => {
        const tools = toolsOf(algorithm);
        const share = shareOf(messages, [...messages.keys()]);
        const input = { batch: { messages, shares: [], timestamp: 1 }, share, producer: new ProducerState(9n, 1) };
        const [first, second] = [0x00, 0xff].map((filler) => {
          const buffer = Buffer.alloc(RECORD_BATCH_OVERHEAD + share.bytes, filler);
          return buffer.subarray(0, writeRecordBatch(buffer, 0, input, tools)).toString('hex');
        });
        expect(second).toBe(first);
      }),
      { numRuns: 50 },
    );
  });

  test('has room enough in the bytes of its share', () => {
    fc.assert(
      fc.property(message, fc.integer({ min: 0, max: 100_000 }), (one, offsetDelta) => {
        const [ample, exact] = [3, 1].map((factor) => Buffer.alloc(factor * recordSize(one)));
        const end = new RecordWriter().write(ample!, 0, one, offsetDelta);
        expect(new RecordWriter().write(exact!, 0, one, offsetDelta)).toBe(end);
        expect(exact!.subarray(0, end).equals(ample!.subarray(0, end))).toBe(true);
      }),
    );
  });

  test('knows more header names and types than it keeps', () => {
    const messages = Array.from({ length: 600 }, (_, n) =>
      messageOf({ id: `${n}`, key: null, body: null, type: `type-${n}`, headers: [[`name-${n}`, 'value']] }),
    );
    const share = shareOf(messages, [...messages.keys()]);
    const batch = { messages, shares: [], timestamp: 0 };
    const buffer = Buffer.alloc(RECORD_BATCH_OVERHEAD + share.bytes);
    const end = writeRecordBatch(buffer, 0, { batch, share, producer: new ProducerState(1n, 0) }, toolsOf('none'));
    expect(contentsOf(readRecordsBatch(Reader.from(buffer.subarray(0, end))))).toEqual(expectedContents(messages));
  });
});

describe('a Produce request', () => {
  /** Reads the fixed frame of version 8, and the record batches by the library. */
  function read(bytes: Buffer): unknown {
    const reader = Reader.from(bytes);
    const head = [reader.readInt16(), reader.readInt16(), reader.readInt32()];
    const topics = reader.readArray(
      (r) => [
        r.readString(false),
        r.readArray(
          (each) => {
            const partition = each.readInt32();
            const records = each.readBytes(false);
            return [partition, contentsOf(readRecordsBatch(Reader.from(records)))];
          },
          false,
          false,
        ),
      ],
      false,
      false,
    );
    expect(reader.remaining).toBe(0);
    return [head, topics];
  }

  test('has the shares by topic, each with its own messages in order', () => {
    const placed = fc.array(fc.tuple(message, fc.constantFrom('t', 'ü', 'x'.repeat(249)), fc.nat(3)), {
      minLength: 1,
      maxLength: 20,
    });
    const tools = toolsOf('none');
    fc.assert(
      fc.property(placed, (all) => {
        const messages = all.map(([one]) => one);
        const names = [...new Set(all.map(([, topic, partition]) => `${partition} ${topic}`))];
        const shares: PartitionShare[] = names.map((name) => {
          const members = all.flatMap(([, topic, partition], at) => (`${partition} ${topic}` === name ? [at] : []));
          const [, topic, partition] = all[members[0]!]!;
          return shareOf(messages, members, partition, topic);
        });
        const buffer = Buffer.alloc(produceRequestSize(shares));
        const batch = { messages, shares, timestamp: 12 };
        const input = { batch, shares, timeoutMs: 15_000, producer: new ProducerState(1n, 0) };
        const topics = [...new Set(shares.map(({ topic }) => topic))];
        expect(read(buffer.subarray(0, writeProduceRequest(buffer, 0, input, tools)))).toEqual([
          [-1, -1, 15_000],
          topics.map((topic) => [
            topic,
            shares
              .filter((share) => share.topic === topic)
              .map(({ partition, members }) => [partition, expectedContents(members.map((at) => messages[at]!))]),
          ]),
        ]);
      }),
      { numRuns: 60 },
    );
  });

  test("is, byte by byte, the library's own", () => {
    const messages = Array.from({ length: 30 }, (_, n) =>
      messageOf({ id: `${n}`, key: `key-${n}`, body: Buffer.from(`body ${n}`), type: 'T', headers: [['via', 'a']] }),
    );
    const share = shareOf(messages, [...messages.keys()], 4);
    const batch = { messages, shares: [share], timestamp: 1_700_000_000_000 };
    const buffer = Buffer.alloc(produceRequestSize([share]));
    const input = { batch, shares: [share], timeoutMs: 1_000, producer: new ProducerState(5n, 2) };
    const ours = buffer.subarray(0, writeProduceRequest(buffer, 0, input, toolsOf('none')));
    const theirs = produceV8.createRequest(
      -1,
      1_000,
      messages.map((one) => ({
        topic: 'topic',
        partition: 4,
        key: Buffer.from(one.key!),
        value: one.body!,
        headers: new Map([['id', one.row.id], ['type', 'T'], ['via', 'a']].map(([name, value]) => [Buffer.from(name!), Buffer.from(value!)])), // prettier-ignore
        timestamp: 1_700_000_000_000n,
      })),
      { producerId: 5n, producerEpoch: 2, partitionLeaderEpoch: -1 },
    );
    expect(ours.toString('hex')).toBe(theirs.buffer.toString('hex'));
  });
});

describe('a varint', () => {
  test('is read by the library, and as long as it says', () => {
    const edges = [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, 1_048_575, 1_048_576, 2 ** 27, 2 ** 31 - 1, -(2 ** 31)];
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...edges), fc.integer()), (value) => {
        const buffer = Buffer.alloc(8);
        const end = writeVarint(buffer, 1, value);
        expect(end - 1).toBe(varintSize(value));
        expect(Reader.from(buffer.subarray(1)).readVarInt64()).toBe(BigInt(value));
      }),
    );
  });
});

describe('sequence numbers', () => {
  const share = (count: number, partition = 0): PartitionShare => ({
    topic: 'topic',
    partition,
    members: { length: count } as readonly number[],
    bytes: 0,
  });

  test('go on by partition once a share is stored, and begin again behind the last one', () => {
    const state = new ProducerState(1n, 0);
    expect(state.sequenceOf(share(3))).toBe(0);
    state.stored(share(3));
    expect([state.sequenceOf(share(5)), state.sequenceOf(share(5, 1))]).toEqual([3, 0]);
    state.stored(share(2 ** 31 - 5));
    expect(state.sequenceOf(share(1))).toBe(2 ** 31 - 2);
    state.stored(share(4));
    expect(state.sequenceOf(share(1))).toBe(2);
  });
});
