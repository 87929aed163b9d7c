import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Isolation } from '../../src/publish/rabbitmq/isolation.ts';

/** A broker that closes the channel for some messages, and a publisher that does what the isolation says. */
function publishAll(messages: readonly number[], poison: ReadonlySet<number>, window: number) {
  const isolation = new Isolation<number>();
  const waiting = [...messages];
  const stored: number[] = [];
  const refused: number[] = [];
  let closings = 0;
  while (waiting.length > 0) {
    const inFlight = waiting.splice(0, isolation.active ? 1 : window);
    const bad = inFlight.findIndex((message) => poison.has(message));
    if (bad === -1) {
      for (const message of inFlight) isolation.cleared(message);
      stored.push(...inFlight);
      continue;
    }
    closings++;
    const culprit = isolation.closedWith(inFlight);
    if (culprit === null) waiting.unshift(...inFlight);
    else refused.push(culprit);
  }
  return { stored, refused, closings, active: isolation.active };
}

describe('isolation', () => {
  it('finds exactly the messages that close the channel, and stores all others', () => {
    const messages = Array.from({ length: 30 }, (_, at) => at);
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(29)), fc.integer({ min: 1, max: 10 }), (poison, window) => {
        const { stored, refused, closings, active } = publishAll(messages, new Set(poison), window);
        expect(refused).toEqual([...poison].sort((a, b) => a - b));
        expect(stored).toEqual(messages.filter((message) => !poison.includes(message)));
        expect(active).toBe(false);
        expect(closings).toBeLessThanOrEqual(2 * poison.length);
      }),
    );
  });
});
