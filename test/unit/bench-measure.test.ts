import { describe, expect, it } from 'vitest';
import { Arrivals } from '../bench/measure/arrivals.ts';
import { figuresOf, medians, type RunRecord, spreads } from '../bench/measure/figures.ts';
import { lastUsage } from '../bench/measure/monitor.ts';
import { median, percentile, reachedAt } from '../bench/measure/statistics.ts';
import { idOf, insertedAt, numberOf, payloads, USUAL_ROWS } from '../bench/rows.ts';

/** What is not looked at: nothing came, nothing was used. */
const NOTHING: RunRecord = {
  rows: 10,
  arrivals: undefined,
  samples: [],
  usage: { cpuMicros: 0, peakRssMb: 0 },
  beganAt: 0,
  warmUpMs: 0,
  rateOf: 'middle',
  server: undefined,
  idle: undefined,
};

describe('statistics', () => {
  it('take the middle, or what lies between the middle two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('take the value below which a share lies', () => {
    const sorted = Float64Array.from({ length: 100 }, (_, index) => index);
    expect(percentile(sorted, 0.5)).toBe(50);
    expect(percentile(sorted, 0.99)).toBe(99);
    expect(percentile(sorted, 1)).toBe(99);
    expect(percentile(new Float64Array(), 0.5)).toBeNaN();
  });

  it('draw a straight line between two looks', () => {
    const looks = [
      { at: 0, count: 0 },
      { at: 100, count: 10 },
    ];
    expect(reachedAt(looks, 5)).toBe(50);
    expect(reachedAt(looks, 11)).toBeNaN();
  });

  it('take the last usage that is known of a process that has ended', () => {
    const alive = { cpuMicros: 10, peakRssMb: 20 };
    expect(
      lastUsage([alive, { cpuMicros: 11, peakRssMb: Number.NaN }, { cpuMicros: Number.NaN, peakRssMb: Number.NaN }]),
    ).toEqual({ cpuMicros: 11, peakRssMb: 20 });
  });
});

describe('rows', () => {
  it('tell their numbers by their ids', () => {
    for (const n of [1, 255, 1_000_000]) expect(numberOf(idOf(n))).toBe(n);
    expect(numberOf('6f1f8a4e-3a6c-4f0e-9a44-6b8f0f3f4c11')).toBeNaN();
  });

  it.each([100, 250, 1024, 102_400])('have payloads of about %d bytes', (payloadBytes) => {
    const length = payloads({ ...USUAL_ROWS, payloadBytes })(1_732_369_999_999.123).length;
    expect(Math.abs(length - payloadBytes)).toBeLessThan(10);
  });

  it('tell when they were inserted, with and without blanks', () => {
    expect(insertedAt(Buffer.from('{"at": 1732369999999.123000, "pad": "x"}'))).toBe(1_732_369_999_999.123);
    expect(insertedAt(Buffer.from('{"at":1732369999999,"pad":"x"}'))).toBe(1_732_369_999_999);
  });
});

describe('arrivals', () => {
  const payload = (atMs: number) => Buffer.from(payloads(USUAL_ROWS)(atMs));

  it('count what is missing, what nobody wrote, and what came twice', () => {
    const arrivals = new Arrivals(2);
    arrivals.add(idOf(1), payload(0), 5);
    arrivals.add(idOf(1), payload(0), 6);
    expect(arrivals.duplicates).toBe(1);
    expect(() => arrivals.verify()).toThrow('of 2 rows 1 are missing at the broker, and 0 are strangers');
    arrivals.add(idOf(2), payload(0), 7);
    expect(() => arrivals.verify()).not.toThrow();
    arrivals.add(idOf(3), payload(0), 8);
    expect(() => arrivals.verify()).toThrow('1 are strangers');
  });

  it('take messages without ids for any row, but not for more than there are', () => {
    const arrivals = new Arrivals(2);
    arrivals.addAnonymous(1);
    expect(() => arrivals.verify()).toThrow('1 are missing');
    arrivals.addAnonymous(2);
    expect(() => arrivals.verify()).not.toThrow();
    arrivals.addAnonymous(3);
    expect(() => arrivals.verify()).toThrow('1 are strangers');
  });

  it('leave out rows of the warm-up, and take the first of two arrivals', () => {
    const arrivals = new Arrivals(3);
    arrivals.add(idOf(1), payload(1000), 1900);
    arrivals.add(idOf(2), payload(2000), 2005);
    arrivals.add(idOf(3), payload(3000), 3007);
    arrivals.add(idOf(3), payload(3000), 3900);
    expect([...arrivals.latencies(500)]).toEqual([5, 7]);
  });
});

describe('figures', () => {
  it('take the rate from 10 to 90 % of the messages, by their times', () => {
    const arrivals = new Arrivals(10);
    for (let n = 1; n <= 10; n++) arrivals.add(idOf(n), Buffer.from('{"at":0}'), n * 100);
    const { messagesPerSecond, firstMs, seconds } = figuresOf({ ...NOTHING, arrivals, beganAt: 50 });
    expect(messagesPerSecond).toBe(10);
    expect(firstMs).toBe(50);
    expect(seconds).toBe(0.95);
  });

  it('take it from the first row written, where writers are beside it', () => {
    const arrivals = new Arrivals(10);
    for (let n = 1; n <= 10; n++) arrivals.add(idOf(n), Buffer.from('{"at":0}'), 1900 + n * 10);
    expect(figuresOf({ ...NOTHING, arrivals, rateOf: 'whole' }).messagesPerSecond).toBe(5);
  });

  it('take it from the looks where times are not known', () => {
    const samples = Array.from({ length: 11 }, (_, count) => ({
      at: count * 100,
      count,
      cpuMicros: count * 30,
      peakRssMb: 1,
    }));
    const figures = figuresOf({ ...NOTHING, samples, usage: { cpuMicros: 500, peakRssMb: 90 } });
    expect(figures).toMatchObject({
      messagesPerSecond: 10,
      cpuMicrosPerMessageSteady: 30,
      cpuMicrosPerMessage: 50,
      peakRssMb: 90,
    });
    expect(figures.p99Ms).toBeNaN();
  });

  it('share what the server took among the rows', () => {
    const server = {
      work: { cpuMicros: 100, walBytes: 50 },
      tableBytes: 1000,
      cleanup: { cpuMicros: 20, walBytes: 10 },
    };
    expect(figuresOf({ ...NOTHING, server })).toMatchObject({
      postgresCpuMicrosPerMessage: 10,
      walBytesPerMessage: 5,
      tableBytesPerMessage: 100,
      cleanupCpuMicrosPerMessage: 2,
      cleanupWalBytesPerMessage: 1,
    });
  });

  it('sum several runs up by the median, with least and greatest', () => {
    const runs = [10, 40, 20].map((peakRssMb) => figuresOf({ ...NOTHING, usage: { cpuMicros: 0, peakRssMb } }));
    expect(medians(runs).peakRssMb).toBe(20);
    expect(spreads(runs).peakRssMb).toEqual([10, 40]);
  });
});
