import { compatibilityPartitioner } from '@platformatic/kafka';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { murmur2, partitionForKey } from '../../src/publish/kafka/murmur2.ts';

const keys = fc.oneof(
  fc.string({ unit: 'binary', minLength: 0, maxLength: 40 }).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
);

test("the vectors of Java's own test", () => {
  const vectors: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, hash] of vectors) expect(murmur2(Buffer.from(key))).toBe(hash);
});

test('the partitions of both libraries', () => {
  const defaultPartitioner = kafkajs.Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 200 }), (key, partitions) => {
      const ours = partitionForKey(key, partitions);
      expect(ours).toBe(compatibilityPartitioner({ topic: 't', value: key }, key) % partitions);
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionId,
        leader: 1,
        partitionErrorCode: 0,
        replicas: [1],
        isr: [1],
      }));
      expect(ours).toBe(defaultPartitioner({ topic: 't', partitionMetadata, message: { key, value: null } }));
    }),
  );
});
