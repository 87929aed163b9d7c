import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean, editDistance } from '../../src/core/suggest.ts';
import { formatDuration, parseDuration, parseSize } from '../../src/config/units.ts';

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['1.5s', 1500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0s', 0],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '10', 's', '-1s', '1.s', '10 s', '10S', '0.5ms', '1e3s', '99999999999999999999d', '5m30s'])(
    'refuses %j',
    (text) => expect(parseDuration(text)).toBeNull(),
  );

  it('reads back what it prints', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('sizes', () => {
  it.each([
    ['512B', 512],
    ['500kB', 500_000],
    ['16MiB', 16 * 1024 ** 2],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['1TB', 10 ** 12],
  ])('reads %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['16', '16M', '16mib', '16 MiB', '-1B', '0.3B', '1KB'])('refuses %j', (text) =>
    expect(parseSize(text)).toBeNull(),
  );

  it('reads whole bytes in every unit', () => {
    const units = {
      B: 1,
      kB: 1e3,
      MB: 1e6,
      GB: 1e9,
      TB: 1e12,
      KiB: 1024,
      MiB: 1024 ** 2,
      GiB: 1024 ** 3,
      TiB: 1024 ** 4,
    };
    fc.assert(
      fc.property(fc.nat({ max: 1000 }), fc.constantFrom(...Object.entries(units)), (count, [unit, bytes]) => {
        expect(parseSize(`${count}${unit}`)).toBe(count * bytes);
      }),
    );
  });
});

describe('did you mean', () => {
  it.each([
    ['passwrod', 'password'],
    ['POLLINTERVAL', 'pollInterval'],
    ['auot', 'auto'],
    ['entirely-else', null],
    ['', null],
  ])('for %j it is %j', (given, meant) => {
    expect(didYouMean(given, ['auto', 'password', 'pollInterval'])).toBe(meant);
  });

  it('measures a distance: zero for the same only, and symmetric', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (left, right) => {
        expect(editDistance(left, right)).toBe(editDistance(right, left));
        expect(editDistance(left, right) === 0).toBe(left === right);
        expect(editDistance(left, right)).toBeLessThanOrEqual(Math.max(left.length, right.length));
      }),
    );
  });
});
