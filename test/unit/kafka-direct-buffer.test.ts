import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestBuffer } from '../../src/publish/kafka/direct/request-buffer.ts';

const KIB = 1_024;

test('a request buffer is large enough, and the same again until it has to grow', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 50 }), (sizes) => {
      const buffer = new RequestBuffer();
      let largest = 64 * KIB;
      let before: Buffer | null = null;
      for (const size of sizes) {
        const taken = buffer.take(size);
        expect(taken.length).toBeGreaterThanOrEqual(size);
        if (before !== null && before.length >= size) expect(taken).toBe(before);
        largest = Math.max(largest, size);
        expect(taken.length).toBeLessThan(2 * largest);
        before = taken;
      }
    }),
  );
});

test('a request buffer that is much too large for long becomes as large as is needed', () => {
  const buffer = new RequestBuffer();
  const large = buffer.take(8_000 * KIB);
  const taken = new Set(Array.from({ length: 300 }, (_, n) => buffer.take(n === 100 ? 200 * KIB : 10 * KIB)));
  expect([...taken].map(({ length }) => length / KIB)).toEqual([8_192, 256]);
  expect(taken.has(large)).toBe(true);
  // a large request now and then keeps it
  const busy = new RequestBuffer();
  busy.take(8_000 * KIB);
  for (let n = 0; n < 2_000; n++) expect(busy.take(n % 200 === 0 ? 4_000 * KIB : KIB).length).toBe(8_192 * KIB);
});

test('a request buffer that was left to a socket is not given out again', () => {
  const buffer = new RequestBuffer();
  const first = buffer.take(1);
  buffer.abandon();
  const second = buffer.take(1);
  expect(second).not.toBe(first);
  expect(buffer.take(1)).toBe(second);
});
