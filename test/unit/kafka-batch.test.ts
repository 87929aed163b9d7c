import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { nextBatch, topicOf, type Batch, type BatchLimits, type TopicTarget } from '../../src/publish/kafka/batch.ts';
import { shareName } from '../../src/publish/kafka/driver.ts';
import { partitionForKey } from '../../src/publish/kafka/murmur2.ts';
import { Partitioner } from '../../src/publish/kafka/partitioner.ts';
import { HeldKeys, MessageQueue } from '../../src/publish/kafka/queue.ts';
import { recordSize } from '../../src/publish/kafka/record-size.ts';
import { recordsOf } from '../../src/publish/kafka/record.ts';

let position = 0n;
function message(key: string | null, size: number, topic = 't'): OutgoingMessage {
  const row = { position: ++position, id: String(position), values: [], lane: 'table', xid: null, since: NaN } as const;
  return {
    row,
    address: { kind: 'topic', topic },
    key,
    body: Buffer.alloc(size),
    type: 'T',
    contentType: 'text/plain',
    headers: [],
    route: 0,
    bytes: size,
  };
}

function target(name: string, batchBytes: number, partitions = 3): TopicTarget {
  return { name, partitions, batchBytes, nextKeyless: 0 };
}

const partitioner = new Partitioner();

interface Cutter {
  readonly queue: MessageQueue;
  readonly held: HeldKeys;
  readonly targets: ReadonlyMap<string, TopicTarget>;
  readonly cut: (limits: BatchLimits) => Batch;
}

function cutter(messages: readonly OutgoingMessage[], ...targets: readonly TopicTarget[]): Cutter {
  const queue = new MessageQueue();
  queue.push(messages);
  const held = new HeldKeys();
  const byName = new Map(targets.map((one) => [one.name, one]));
  const cut = (limits: BatchLimits) =>
    nextBatch({ queue, held, partitioner, targetOf: (name) => byName.get(name) }, limits, 1_000);
  return { queue, held, targets: byName, cut };
}

const AMPLE = { rows: 1_000_000, requestBytes: 1e9 };

/** By message, the partition that it goes to. */
function partitionsOf({ messages, shares }: Batch): readonly number[] {
  return messages.map((_, at) => shares.find(({ members }) => members.includes(at))!.partition);
}

const messagesArbitrary = fc.array(
  fc
    .tuple(
      fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e')),
      fc.integer({ min: 0, max: 300 }),
      fc.constantFrom('t', 'u'),
    )
    .map(([key, size, topic]) => message(key, size, topic)),
  { maxLength: 80 },
);

describe('batches', () => {
  test('take everything once, in the order of the queue, within all limits', () => {
    const limits = fc.record({
      rows: fc.integer({ min: 1, max: 20 }),
      requestBytes: fc.integer({ min: 500, max: 2_000 }),
      batchBytes: fc.integer({ min: 1, max: 1_000 }),
    });
    fc.assert(
      fc.property(messagesArbitrary, limits, (messages, { rows, requestBytes, batchBytes }) => {
        const { queue, cut } = cutter(messages, target('t', batchBytes), target('u', batchBytes, 1));
        const taken: OutgoingMessage[] = [];
        while (queue.length > 0) {
          const batch = cut({ rows, requestBytes });
          taken.push(...batch.messages);
          expect(batch.messages.length).toBeGreaterThan(0);
          expect(batch.messages.length).toBeLessThanOrEqual(rows);
          const total = batch.messages.reduce((sum, one) => sum + recordSize(one), 0);
          expect(total).toBeLessThanOrEqual(requestBytes);
          expect(batch.shares.flatMap(({ members }) => members).sort((a, b) => a - b)).toEqual([
            ...batch.messages.keys(),
          ]);
          expect(new Set(batch.shares.map(shareName)).size).toBe(batch.shares.length);
          for (const { topic, members, bytes } of batch.shares) {
            const own = members.map((at) => batch.messages[at]!);
            expect(own.map(topicOf)).toEqual(own.map(() => topic));
            expect(members).toEqual([...members].sort((a, b) => a - b));
            expect(bytes).toBe(own.reduce((sum, one) => sum + recordSize(one), 0));
            expect(bytes <= batchBytes || own.length === 1).toBe(true);
          }
        }
        expect(taken).toEqual(messages);
      }),
    );
  });

  test("put a key on Java's partition, and all messages without one on the same, another in the next batch", () => {
    const { cut } = cutter(
      [message('x', 1), message(null, 1), message('x', 1), message(null, 1), message(null, 1)],
      target('t', 1e6, 7),
    );
    const [first, second] = [cut({ rows: 4, requestBytes: 1e9 }), cut(AMPLE)];
    const expected = partitionForKey(Buffer.from('x'), 7);
    expect(partitionsOf(first)).toEqual([expected, 0, expected, 0]);
    expect(partitionsOf(second)).toEqual([1]);
  });

  test('put a message on the partition that its row names, one of each key at a time, and end before one that there is not', () => {
    const to = (key: string | null, partition: number): OutgoingMessage => ({ ...message(key, 1), partition });
    const { queue, cut } = cutter([to('a', 2), to(null, 0), to('a', 2), to('a', 1), to('b', 7)], target('t', 1e6, 7));
    expect(partitionsOf(cut(AMPLE))).toEqual([2, 0, 2]);
    expect(partitionsOf(cut(AMPLE))).toEqual([1]);
    expect([cut(AMPLE).messages, queue.length]).toEqual([[], 1]);
  });

  test('never have two topics for one key, and end before a message that would be the second', () => {
    fc.assert(
      fc.property(messagesArbitrary, (messages) => {
        const { queue, cut } = cutter(messages, target('t', 1e6), target('u', 1e6));
        while (queue.length > 0) {
          const { messages: batch } = cut(AMPLE);
          const next = queue.peek();
          const topics = (key: string | null | undefined): number =>
            new Set(batch.filter((one) => one.key === key).map(topicOf)).size;
          for (const { key } of batch) expect(key === null || topics(key) === 1).toBe(true);
          if (next === undefined) continue;
          expect(
            batch.some(({ key, address }) => key === next.key && topicOf({ ...next, address }) !== topicOf(next)),
          ).toBe(true);
        }
      }),
    );
  });

  test('pass over held keys, which keep their messages in order', () => {
    fc.assert(
      fc.property(messagesArbitrary, fc.subarray(['a', 'b', 'c', 'd', 'e']), (messages, keys) => {
        const { queue, held, cut } = cutter(messages, target('t', 1e6), target('u', 1e6));
        for (const key of keys) held.hold(key);
        const taken: OutgoingMessage[] = [];
        while (queue.length > 0) taken.push(...cut(AMPLE).messages);
        const isHeld = ({ key }: OutgoingMessage): boolean => key !== null && keys.includes(key);
        expect(taken).toEqual(messages.filter((one) => !isHeld(one)));
        for (const key of keys) expect(held.release(key)).toEqual(messages.filter((one) => one.key === key));
      }),
    );
  });

  test('end before a topic that is not known', () => {
    const messages = [message('a', 1), message('b', 1, 'unknown'), message('c', 1)];
    const { queue, cut } = cutter(messages, target('t', 1e6));
    expect(cut(AMPLE).messages).toEqual(messages.slice(0, 1));
    expect(cut(AMPLE).messages).toEqual([]);
    expect(queue.peek()).toBe(messages[1]);
  });
});

describe('records for a client library', () => {
  const batchOf = (...messages: readonly OutgoingMessage[]): Batch => ({
    messages,
    shares: [{ topic: 't', partition: 3, members: [...messages.keys()], bytes: 0 }],
    timestamp: 5_000_000_000,
  });

  test('are one a message, with the id and the type before its own headers', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 });
    fc.assert(
      fc.property(
        fc.option(text),
        fc.option(text),
        fc.array(fc.tuple(text, text), { maxLength: 5 }),
        (key, type, headers) => {
          const one = { ...message(key, 17), type, headers };
          const [record, ...others] = recordsOf(batchOf(one));
          expect(others).toEqual([]);
          expect(record).toMatchObject({ topic: 't', partition: 3, value: one.body, timestamp: 5_000_000_000n });
          expect(record!.key?.toString() ?? null).toBe(key);
          const named = [...record!.headers].map(([name, value]) => [name.toString(), value.toString()]);
          expect(named).toEqual([['id', one.row.id], ...(type === null ? [] : [['type', type]]), ...headers]);
        },
      ),
    );
  });

  test('have the headers in their order when a name stands twice, or is that of the id', () => {
    const headers = [['a', '1'], ['id', '2'], ['a', '3']] as const; // prettier-ignore
    const [record] = recordsOf(batchOf({ ...message('k', 0), type: null, headers }));
    const named = [...record!.headers].map(([name, value]) => [name.toString(), value.toString()]);
    expect(named.slice(1)).toEqual(headers);
  });
});

describe('the partition of a key', () => {
  test('is the same by text and by bytes, whatever its length and characters', () => {
    const key = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 300 }),
    );
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 200 }), (text, partitions) => {
        expect(partitioner.partition(text, partitions)).toBe(partitionForKey(Buffer.from(text), partitions));
      }),
    );
  });
});

describe('the queue', () => {
  test('is a list that is taken from the front and put back there', () => {
    const commands = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('push' as const), count: fc.integer({ min: 0, max: 2_000 }) }),
        fc.record({ do: fc.constant('shift' as const), count: fc.integer({ min: 0, max: 2_500 }) }),
        fc.record({ do: fc.constant('putBack' as const), count: fc.integer({ min: 0, max: 5 }) }),
        fc.record({ do: fc.constant('extract' as const), count: fc.integer({ min: 0, max: 6 }) }),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(commands, (script) => {
        const queue = new MessageQueue();
        let model: OutgoingMessage[] = [];
        for (const { do: what, count } of script) {
          const some = Array.from({ length: count }, (_, n) => message(`key-${n % 7}`, 0));
          if (what === 'push') {
            queue.push(some);
            model.push(...some);
          } else if (what === 'putBack') {
            queue.putBack(some);
            model.unshift(...some);
          } else if (what === 'extract') {
            expect(queue.extract(`key-${count}`)).toEqual(model.filter(({ key }) => key === `key-${count}`));
            model = model.filter(({ key }) => key !== `key-${count}`);
          } else {
            for (let n = 0; n < count && queue.length > 0; n++) {
              expect(queue.peek()).toBe(model.shift());
              queue.shift();
            }
          }
          expect(queue.length).toBe(model.length);
          expect(queue.peek()).toBe(model[0]);
        }
      }),
      { numRuns: 40 },
    );
  });
});
