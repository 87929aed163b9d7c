import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isVisible, parseSnapshot, seesTransaction, widenXid, type Snapshot } from '../../src/core/snapshot.ts';
import { formatLsn, parseLsn } from '../../src/core/lsn.ts';
import { HoldBuffer } from '../../src/relay/hold-buffer.ts';
import { SkipRule } from '../../src/relay/skip-rule.ts';
import type { RoutedTransaction } from '../../src/relay/routed.ts';

const snapshot = parseSnapshot('1000:1010:1003,1005');
const transaction = (xid: number, commitLsn: bigint): RoutedTransaction => ({ xid, commitLsn, rows: [], bytes: 10 });

describe('the skip rule', () => {
  it('skips what the snapshot of the last pass sees, and nothing else', () => {
    const rule = new SkipRule();
    rule.passCompleted(snapshot, 500n);
    const skipped = [999, 1000, 1003, 1005, 1009, 1010].filter((xid) => rule.skips(transaction(xid, 100n)));
    expect(skipped).toEqual([999, 1000, 1009]);
  });

  it('goes by visibility and not by position: a commit before P that the snapshot does not see is published', () => {
    const rule = new SkipRule();
    rule.passCompleted(snapshot, 500n);
    expect(rule.skips(transaction(1003, 499n))).toBe(false);
  });

  it.each([
    ['a commit', (rule: SkipRule) => rule.skips(transaction(1003, 500n))],
    ['progress', (rule: SkipRule) => rule.streamPassed(500n)],
  ])(
    'forgets the snapshot once the stream has passed P by %s: 2^31 ids later everything would look visible',
    (_, pass) => {
      const rule = new SkipRule();
      rule.passCompleted(snapshot, 500n);
      pass(rule);
      const later = Number(BigInt.asUintN(32, 1010n + 2n ** 31n));
      expect(seesTransaction(snapshot, later)).toBe(true);
      expect(rule.skips(transaction(later, 501n))).toBe(false);
    },
  );
});

describe('the hold buffer', () => {
  it('drops what a snapshot sees and keeps the rest in commit order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 990, max: 1020 })), (xids) => {
        const buffer = new HoldBuffer();
        xids.forEach((xid, at) => buffer.hold(transaction(xid, BigInt(at))));
        const kept = xids
          .map((xid, at) => transaction(xid, BigInt(at)))
          .filter(({ xid }) => !seesTransaction(snapshot, xid));
        expect(buffer.dropVisible(snapshot)).toBe(xids.length - kept.length);
        expect(buffer.bytes).toBe(kept.length * 10);
        expect(buffer.take()).toEqual(kept);
        expect(buffer.bytes).toBe(0);
      }),
    );
  });
});

describe('transaction ids and snapshots', () => {
  it('widens to the nearest full id, also across a wrap-around', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 2n ** 31n, max: 2n ** 40n }),
        fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }),
        (near, distance) => {
          const full = near + distance;
          expect(widenXid(Number(BigInt.asUintN(32, full)), near)).toBe(full);
        },
      ),
    );
  });

  it('sees what Postgres says it sees', () => {
    const arbitrary: fc.Arbitrary<Snapshot> = fc
      .tuple(fc.bigInt({ min: 3n, max: 100n }), fc.nat(20), fc.array(fc.nat(19)))
      .map(([xmin, width, running]) => ({
        xmin,
        xmax: xmin + BigInt(width),
        running: new Set(running.filter((at) => at < width).map((at) => xmin + BigInt(at))),
      }));
    fc.assert(
      fc.property(arbitrary, fc.bigInt({ min: 1n, max: 140n }), (given, xid) => {
        expect(isVisible(given, xid)).toBe(xid < given.xmax && !given.running.has(xid));
      }),
    );
  });

  it.each(['', '1:2', '1:2:a', '1:2:3,'])('refuses %j as a snapshot', (text) => {
    expect(() => parseSnapshot(text)).toThrow(RangeError);
  });
});

describe('log positions', () => {
  it('print as Postgres prints them, and come back', () => {
    expect(formatLsn(parseLsn('16/B374D848'))).toBe('16/B374D848');
    expect(parseLsn('1/0')).toBe(2n ** 32n);
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (lsn) => parseLsn(formatLsn(lsn)) === lsn));
  });

  it.each(['', '16', '16/', '/1', '16/B374D8480', 'g/1', '1/1 '])('refuse %j', (text) => {
    expect(() => parseLsn(text)).toThrow(RangeError);
  });
});
