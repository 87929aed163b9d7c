import fc from 'fast-check';
import { expect, it } from 'vitest';
import { firstHashOf, shardOfHash } from '../../src/core/sharding.ts';

const LAST_HASH = 2 ** 32 - 1;
const shards = fc.integer({ min: 1, max: 64 });

it('a hash belongs to the shard whose interval it lies in', () => {
  fc.assert(
    fc.property(shards, fc.nat(LAST_HASH), (count, hash) => {
      const shard = shardOfHash(hash, count);
      expect(shard).toBeLessThan(count);
      expect(hash).toBeGreaterThanOrEqual(firstHashOf(shard, count));
      expect(hash).toBeLessThan(firstHashOf(shard + 1, count));
    }),
  );
});

it('the intervals begin and end where they are said to, and differ by one at most', () => {
  fc.assert(
    fc.property(shards, (count) => {
      const bounds = Array.from({ length: count + 1 }, (_, shard) => firstHashOf(shard, count));
      expect([bounds[0], bounds.at(-1)]).toEqual([0, 2 ** 32]);
      const sizes = bounds.slice(1).map((bound, shard) => bound - bounds[shard]!);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      for (const [shard, bound] of bounds.slice(0, -1).entries()) {
        expect(shardOfHash(bound, count)).toBe(shard);
        if (bound > 0) expect(shardOfHash(bound - 1, count)).toBe(shard - 1);
      }
    }),
  );
});
