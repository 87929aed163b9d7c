import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Confirms } from '../../src/publish/rabbitmq/confirms.ts';

function sentTo(count: number): Confirms<number> {
  const confirms = new Confirms<number>();
  for (let n = 1; n <= count; n++) confirms.sent(n, `id-${n}`, n);
  return confirms;
}

describe('confirms', () => {
  it('settle every message exactly once, in whatever order and form they come', () => {
    const answers = fc.array(fc.record({ tag: fc.integer({ min: 0, max: 45 }), multiple: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), answers, (count, given) => {
        const confirms = sentTo(count);
        const expected = new Set(Array.from({ length: count }, (_, at) => at + 1));
        for (const { tag, multiple } of given) {
          const settled = confirms.settle(tag, multiple).map(({ item }) => item);
          const due = [...expected].filter((n) => (multiple ? n <= tag : n === tag));
          expect(settled).toEqual(due);
          for (const n of due) expected.delete(n);
          expect(confirms.size).toBe(expected.size);
          expect(confirms.oldest()).toBe([...expected][0] ?? null);
        }
        expect(confirms.drain()).toEqual([...expected]);
        expect(confirms.size).toBe(0);
      }),
    );
  });

  it('say that a message was returned, although it is confirmed as well', () => {
    const confirms = sentTo(3);
    confirms.returned('id-2');
    expect(confirms.settle(3, true)).toMatchObject([
      { item: 1, returned: false },
      { item: 2, returned: true },
      { item: 3, returned: false },
    ]);
  });

  it('take all messages with a returned id for returned: one of them was', () => {
    const confirms = new Confirms<string>();
    confirms.sent('first', 'same', 0);
    confirms.sent('second', 'same', 0);
    confirms.returned('same');
    expect(confirms.settle(2, true).map(({ returned }) => returned)).toEqual([true, true]);
  });
});
