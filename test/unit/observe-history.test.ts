import { beforeEach, describe, expect, it } from 'vitest';
import { History } from '../../src/observe/history.ts';

describe('the last hour', () => {
  let now = 0;
  let history: History;
  beforeEach(() => {
    now = 1_000_000;
    history = new History(() => now);
  });

  const look = (rows: number, lagSeconds: number | null = 0): void =>
    history.add({ lagSeconds, waitingRows: lagSeconds, retainedBytes: null, published: new Map([['kafka', rows]]) });

  it('has a point for each look, with rates since the look before', () => {
    look(100);
    now += 5_000;
    look(150, null);
    now += 10_000;
    look(150, 7);
    expect(history.since(0)).toEqual([
      { at: 1_000_000, lagSeconds: 0, waitingRows: 0, retainedBytes: null, rowsPerSecond: {} },
      { at: 1_005_000, lagSeconds: null, waitingRows: null, retainedBytes: null, rowsPerSecond: { kafka: 10 } },
      { at: 1_015_000, lagSeconds: 7, waitingRows: 7, retainedBytes: null, rowsPerSecond: { kafka: 0 } },
    ]);
    expect(history.since(1_005_000).map(({ at }) => at)).toEqual([1_015_000]);
  });

  it('is bounded, in time and in number', () => {
    for (let at = 0; at < 2_000; at++, now += 1_000) look(at);
    expect(history.since(0)).toHaveLength(720);
    now += 3_590_000;
    look(0);
    // what is older than an hour is gone
    expect(
      history
        .since(0)
        .map(({ at }) => now - at)
        .at(0),
    ).toBeLessThanOrEqual(3_600_000);
    expect(history.since(0).length).toBeLessThan(20);
  });

  it('tells a rate over the last ten seconds at least, also between two looks', () => {
    expect(history.rate('kafka', 5)).toBeNull();
    look(0);
    expect(history.rate('kafka', 5)).toBeNull();
    now += 2_000;
    expect(history.rate('kafka', 10)).toBe(5);
    for (let at = 1; at <= 100; at++) {
      now += 5_000;
      look(at * 1000);
    }
    // of the looks 10 and 15 seconds old, the younger
    expect(history.rate('kafka', 100_000)).toBe(200);
    now += 2_000;
    expect(history.rate('kafka', 100_000)).toBeCloseTo(2000 / 12);
  });

  it('tells a rate after a long silence, and of a destination that is new', () => {
    look(10);
    now += 3_000_000;
    look(10);
    expect(history.rate('kafka', 10)).toBe(0);
    now += 10_000;
    expect(history.rate('kafka', 20)).toBe(1);
    expect(history.rate('rabbit', 30)).toBe(3);
  });
});
