import fc from 'fast-check';
import { expect, test } from 'vitest';
import { refArrays, textArray } from '../../src/postgres/array-parameter.ts';

/** Reads what `array_recv` reads, for the element types of these arrays. */
function elementsOf(array: Buffer): readonly (string | null)[] {
  const [dimensions, hasNulls, oid] = [array.readInt32BE(0), array.readInt32BE(4), array.readInt32BE(8)];
  expect(hasNulls).toBe(0);
  if (dimensions === 0) {
    expect(array).toHaveLength(12);
    return [];
  }
  expect([dimensions, array.readInt32BE(16)]).toEqual([1, 1]);
  const elements: (string | null)[] = [];
  let at = 20;
  for (let left = array.readInt32BE(12); left > 0; left--) {
    const length = array.readInt32BE(at);
    at += 4;
    if (length === -1) elements.push(null);
    else if (oid === 20) elements.push(array.readBigInt64BE(at).toString());
    else elements.push(array.toString('utf8', at, at + length));
    at += Math.max(0, length);
  }
  expect(at).toBe(array.length);
  return elements;
}

const text = fc.string({ unit: 'grapheme' });

test('texts of any script, and nulls, are what Postgres reads again', () => {
  fc.assert(
    fc.property(fc.array(fc.option(text)), (texts) => {
      expect(elementsOf(textArray(texts))).toEqual(texts);
    }),
  );
});

test('positions and ids are what Postgres reads again', () => {
  const ref = fc.record({
    position: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    id: fc.oneof(fc.uuid(), text),
  });
  fc.assert(
    fc.property(fc.array(ref), (refs) => {
      const [positions, ids] = refArrays(refs);
      expect(elementsOf(positions)).toEqual(refs.map(({ position }) => position.toString()));
      expect(elementsOf(ids)).toEqual(refs.map(({ id }) => id));
    }),
  );
});
