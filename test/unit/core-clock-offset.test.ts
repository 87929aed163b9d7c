import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockOffset } from '../../src/core/clock-offset.ts';

/** An answer of a clock that is ahead by so much, after a journey there and one back. */
function ask(clock: ClockOffset, at: number, aheadMs: number, thereMs: number, backMs: number): void {
  clock.add(at, at + thereMs + aheadMs, at + thereMs + backMs);
}

describe('the offset of another clock', () => {
  it('is none before it was asked, and none that a round trip could hide', () => {
    const clock = new ClockOffset();
    expect(clock.milliseconds).toBe(0);
    ask(clock, 1_000, 3, 10, 2);
    expect(clock.milliseconds).toBe(0);
  });

  it('is told by the answer with the shortest round trip', () => {
    const clock = new ClockOffset();
    ask(clock, 1_000, 500, 80, 0);
    ask(clock, 2_000, 500, 1, 1);
    ask(clock, 3_000, 500, 0, 90);
    expect(clock.milliseconds).toBe(500);
  });

  it('changes at once when a clock is set', () => {
    const clock = new ClockOffset();
    for (let at = 0; at < 10_000; at += 1_000) ask(clock, at, 60_000, 1, 1);
    ask(clock, 10_000, -60_000, 5, 5);
    expect(clock.milliseconds).toBe(-60_000);
    ask(clock, 11_000, 0, 5, 5);
    expect(clock.milliseconds).toBe(0);
  });

  it('forgets old answers: a drift is followed', () => {
    const clock = new ClockOffset();
    for (let n = 0; n < 100; n++) ask(clock, n * 1_000, n / 10, 1, 1);
    expect(Math.abs(clock.milliseconds - 9.9)).toBeLessThan(1);
  });

  it('is never further from the truth than the resolution and half of the best round trip', () => {
    const trips = fc.array(fc.tuple(fc.double({ min: 0, max: 500, noNaN: true }), fc.double({ min: 0, max: 500, noNaN: true })), { minLength: 1, maxLength: 8 }); // prettier-ignore
    fc.assert(
      fc.property(fc.integer({ min: -1e6, max: 1e6 }), trips, (ahead, journeys) => {
        const clock = new ClockOffset();
        for (const [index, [there, back]] of journeys.entries()) ask(clock, index * 5_000, ahead, there, back);
        const best = Math.min(...journeys.map(([there, back]) => there + back));
        const bound = best / 2 + 1;
        const slack = clock.milliseconds === 0 ? 2 * bound : bound;
        expect(Math.abs(clock.milliseconds - ahead)).toBeLessThanOrEqual(slack + 1e-6);
      }),
    );
  });
});
