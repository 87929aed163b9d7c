/** What the direct driver reads of the answers to Produce requests. */
import { Writer } from '@platformatic/kafka';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readProduceResponse } from '../../src/publish/kafka/direct/produce-response.ts';
import { partitionName, type PartitionAnswer } from '../../src/publish/kafka/driver.ts';
import { answerTrouble, troubleOf, UnreadableAnswer } from '../../src/publish/kafka/errors.ts';

interface TopicAnswer {
  readonly topic: string;
  readonly partitions: readonly (PartitionAnswer & { readonly partition: number })[];
}

/** As the brokers write it; null texts and empty ones by turns. */
function responseOf(topics: readonly TopicAnswer[], version: number): Buffer {
  const writer = Writer.create().appendInt32(topics.length);
  for (const { topic, partitions } of topics) {
    writer.appendString(topic, false).appendInt32(partitions.length);
    for (const { partition, code, culprits } of partitions) {
      writer.appendInt32(partition).appendInt16(code).appendInt64(7n).appendInt64(-1n).appendInt64(0n);
      if (version < 8) continue;
      writer.appendInt32(culprits.length);
      for (const at of culprits) writer.appendInt32(at).appendString(at % 2 === 0 ? 'not välid' : null, false);
      writer.appendString(code === 0 ? null : 'what is wrong', false);
    }
  }
  return writer.appendInt32(0).buffer;
}

const partitions = fc.uniqueArray(
  fc.record({
    partition: fc.nat(50),
    code: fc.constantFrom(0, 0, 6, 10, 87, -1),
    culprits: fc.array(fc.nat(2_000), { maxLength: 4 }),
  }),
  { selector: ({ partition }) => partition, maxLength: 6, minLength: 1 },
);
const topics = fc.uniqueArray(fc.record({ topic: fc.string({ unit: 'grapheme', maxLength: 20 }), partitions }), {
  selector: ({ topic }) => topic,
  maxLength: 4,
});

function answersOf(all: readonly TopicAnswer[]): Map<string, PartitionAnswer> {
  return new Map(
    all.flatMap(({ topic, partitions: own }) =>
      own.map(({ partition, code, culprits }) => [partitionName(topic, partition), { code, culprits }] as const),
    ),
  );
}

describe('the answer to a Produce request', () => {
  test('is read as it was written, for every partition', () => {
    fc.assert(
      fc.property(topics, (all) => {
        const expected = answersOf(all);
        const asked = new Set(expected.keys());
        expect(readProduceResponse(responseOf(all, 8), 8, asked)).toEqual(expected);
        const plain = new Map([...expected].map(([name, { code }]) => [name, { code, culprits: [] }]));
        expect(readProduceResponse(responseOf(all, 7), 7, asked)).toEqual(plain);
      }),
    );
  });

  test('is not believed when anything is cut off, added, missing or not asked for', () => {
    fc.assert(
      fc.property(topics, fc.nat(), (all, cut) => {
        const asked = new Set(answersOf(all).keys());
        const bytes = responseOf(all, 8);
        const refused = (answer: Buffer, of: ReadonlySet<string> = asked): void =>
          expect(() => readProduceResponse(answer, 8, of)).toThrow(UnreadableAnswer);
        refused(bytes.subarray(0, cut % bytes.length));
        refused(Buffer.concat([bytes, Buffer.alloc(1 + (cut % 3))]));
        refused(bytes, new Set([...asked, 'another/0']));
        if (asked.size > 0) refused(bytes, new Set([...asked].slice(1)));
      }),
    );
  });

  test('of any bytes is refused or read, whatever counts and lengths it claims', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // counts of topics, partitions or faulty records that nobody could send
      fc
        .tuple(topics, fc.nat(), fc.constantFrom(-1, -2, 0, 0x7fff, 2 ** 31 - 1, -(2 ** 31)))
        .map(([all, at, value]) => {
          const whole = responseOf(all, 8);
          whole.writeInt32BE(value, at % Math.max(1, whole.length - 3));
          return whole;
        }),
    );
    fc.assert(
      fc.property(bytes, topics, fc.constantFrom(7, 8), (answer, all, version) => {
        const asked = new Set(answersOf(all).keys());
        try {
          expect(new Set(readProduceResponse(Buffer.from(answer), version, asked).keys())).toEqual(asked);
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableAnswer);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([0x7fffffff, 0x7fff0000])('that claims %d of something costs no more than its bytes', (count) => {
    const topicsOnly = Buffer.alloc(8);
    topicsOnly.writeInt32BE(count);
    const of = new Set(['t/0']);
    const answer = responseOf([{ topic: 't', partitions: [{ partition: 0, code: 0, culprits: [] }] }], 8);
    const partitions = Buffer.from(answer);
    partitions.writeInt32BE(count, 4 + 2 + 1);
    const records = Buffer.from(answer);
    records.writeInt32BE(count, 4 + 2 + 1 + 4 + 4 + 2 + 24);
    for (const bytes of [topicsOnly, partitions, records]) {
      expect(() => readProduceResponse(bytes, 8, of)).toThrow(UnreadableAnswer);
    }
  });

  test('is not believed when a partition is in it twice', () => {
    const answer = { partition: 1, code: 0, culprits: [] };
    const bytes = responseOf([{ topic: 't', partitions: [answer, answer] }], 8);
    expect(() => readProduceResponse(bytes, 8, new Set(['t/1']))).toThrow(UnreadableAnswer);
  });

  test('that cannot be read is no fault of a message: the same batch is sent again', () => {
    const trouble = troubleOf(new AggregateError([new UnreadableAnswer('too short')]), 'publishing');
    expect(trouble).toMatchObject({ error: { code: 'broker_unavailable' }, repeat: true });
  });
});

describe('what a code means for the batch', () => {
  test.each([
    ['not the leader', 6, 'broker_unavailable', true],
    ['in the log, and not replicated in time', 7, 'broker_timeout', true],
    ['in the log, and too few replicas have it', 20, 'broker_unavailable', true],
    ['too few replicas', 19, 'broker_unavailable', false],
    ['too large', 10, 'message_too_large', false],
    ['no WRITE', 29, 'broker_authorization', false],
  ])('%s', (_, brokerCode, code, repeat) => {
    expect(answerTrouble(brokerCode, 'publishing to t/0')).toMatchObject({ error: { code }, repeat, brokerCode });
  });
});
