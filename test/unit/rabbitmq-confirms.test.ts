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
    const sending = fc.record({ count: fc.integer({ min: 1, max: 40 }) });
    const answer = fc.record({ tag: fc.integer({ min: -45, max: 5 }), multiple: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.oneof(sending, answer), { maxLength: 80 }), (steps) => {
        const confirms = new Confirms<number>();
        const expected = new Set<number>();
        let sent = 0;
        for (const step of steps) {
          if ('count' in step) {
            for (let n = 0; n < step.count; n++) {
              confirms.sent(++sent, `id-${sent}`, sent);
              expected.add(sent);
            }
          } else {
            // near the latest, and now and then beyond what was sent
            const tag = Math.max(0, sent + step.tag);
            const settled = confirms.settle(tag, step.multiple).map(({ item }) => item);
            const due = [...expected].filter((n) => (step.multiple ? n <= tag : n === tag));
            expect(settled).toEqual(due);
            for (const n of due) expected.delete(n);
          }
          expect(confirms.size).toBe(expected.size);
          expect(confirms.oldest()).toBe([...expected][0] ?? null);
        }
        expect(confirms.drain()).toEqual([...expected]);
        expect(confirms.size).toBe(0);
        expect(confirms.oldest()).toBeNull();
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
