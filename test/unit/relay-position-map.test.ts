import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PositionMap } from '../../src/relay/position-map.ts';

/** Side by side, far apart, negative, and where a double is not exact any more. */
const position = fc.oneof(
  fc.integer({ min: -200, max: 200 }),
  fc.maxSafeInteger(),
  fc.constantFrom(2 ** 53, 2 ** 53 + 2, 2 ** 63, -(2 ** 63), 63, 64, -1, -64, -65),
);
const step = fc.record({ do: fc.constantFrom('set', 'delete', 'get' as const), at: position });

describe('the map by position', () => {
  it('agrees with a plain map, whatever the order of events', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const map = new PositionMap<{ n: number }>();
        const model = new Map<number, { n: number }>();
        steps.forEach(({ do: what, at }, n) => {
          if (what === 'set') {
            map.set(at, { n });
            model.set(at, { n });
          } else if (what === 'delete') {
            map.delete(at);
            model.delete(at);
          }
          expect(map.get(at)).toEqual(model.get(at) ?? null);
        });
        const byNumber = (a: { n: number }, b: { n: number }): number => a.n - b.n;
        expect([...map.values()].sort(byNumber)).toEqual([...model.values()].sort(byNumber));
      }),
    );
  });

  it('lets values be deleted as they are met', () => {
    const map = new PositionMap<{ at: number }>();
    for (let at = 0; at < 300; at++) map.set(at, { at });
    let met = 0;
    for (const value of map.values()) {
      met++;
      map.delete(value.at);
    }
    expect(met).toBe(300);
    expect([...map.values()]).toEqual([]);
  });
});
