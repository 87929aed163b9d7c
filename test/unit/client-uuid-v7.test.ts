import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextTick, uuidV7Generator, uuidv7 } from '../../src/client/uuid-v7.ts';

/** RFC 9562, section 5.7: 48 bits of time, version 7, variant 10. */
const FORMAT = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const timeOf = (id: string): number => parseInt(id.replaceAll('-', '').slice(0, 12), 16);

/** A clock that shows the given times one after the other, then the last of them for ever. */
function clockOf(times: readonly number[]): () => number {
  let at = 0;
  return () => times[Math.min(at++, times.length - 1)] ?? 0;
}

const filledWith = (byte: number) => (buffer: Buffer) => void buffer.fill(byte);

describe('UUIDs of version 7', () => {
  it('have the form of RFC 9562, and the time in front', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 2 }), (time) => {
        const id = uuidV7Generator(() => time)();
        expect(id).toMatch(FORMAT);
        expect(timeOf(id)).toBe(time);
      }),
    );
  });

  it('only ever grow, however the clock goes and whatever the random bytes are', () => {
    const clock = fc.array(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_050 }), { minLength: 2 });
    fc.assert(
      fc.property(clock, fc.integer({ min: 0, max: 255 }), (times, byte) => {
        const next = uuidV7Generator(clockOf(times), filledWith(byte));
        const ids = Array.from({ length: times.length + 300 }, next);
        expect(ids).toEqual([...new Set(ids)].sort());
        for (const id of ids) expect(id).toMatch(FORMAT);
      }),
    );
  });

  it('run ahead of a clock that stands still for longer than the counter lasts', () => {
    const seeded = nextTick({ time: 999, counter: 5 }, 1_000, 0xffff_ffff);
    expect(seeded).toEqual({ time: 1_000, counter: 2 ** 25 - 1 });
    const full = { time: 1_000, counter: 2 ** 26 - 1 };
    expect(nextTick({ ...full, counter: full.counter - 1 }, 1_000, 7)).toEqual(full);
    const over = nextTick(full, 1_000, 7);
    expect(over).toEqual({ time: 1_001, counter: 0 });
    expect(nextTick(over, 1_000, 7)).toEqual({ time: 1_001, counter: 1 });
  });

  it('do not repeat, and say when they were made', () => {
    const before = Date.now();
    const ids = Array.from({ length: 100_000 }, uuidv7);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual([...ids].sort());
    for (const time of [timeOf(ids[0]!), timeOf(ids.at(-1)!)]) {
      expect(time).toBeGreaterThanOrEqual(before);
      expect(time).toBeLessThanOrEqual(Date.now());
    }
  });

  it('are hard to guess: 48 bits of each are random', () => {
    const next = uuidV7Generator(() => 1_000);
    const tails = new Set(Array.from({ length: 10_000 }, () => next().slice(-12)));
    expect(tails.size).toBeGreaterThan(9_990);
  });
});
