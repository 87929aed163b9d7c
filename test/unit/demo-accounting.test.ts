import { describe, expect, it } from 'vitest';
import { Accounting } from '../../demo/accounting.ts';
import { Latencies } from '../../demo/latencies.ts';
import { reportLines } from '../../demo/report.ts';

function rows(key: string, ...versions: number[]) {
  return versions.map((version) => ({ id: `${key}${version}`, key, version }));
}

/** Two transactions of `a`, one of `b`, all committed. */
function committed(): Accounting {
  const accounting = new Accounting();
  for (const transaction of [rows('a', 1, 2), rows('b', 1), rows('a', 3)]) {
    accounting.sent(transaction, 0);
    accounting.committed(transaction);
  }
  return accounting;
}

function arrive(accounting: Accounting, ...ids: string[]): void {
  for (const id of ids) accounting.arrived(id, 5);
}

describe("the demo's accounting", () => {
  it('is content when every committed row has arrived in the order of its key', () => {
    const accounting = committed();
    arrive(accounting, 'b1', 'a1', 'a2', 'a3');
    expect(accounting.verdict()).toMatchObject({ ok: true, inserted: 4, published: 4, waiting: 0, repeated: 0 });
  });

  it('finds a committed row that never arrived', () => {
    const accounting = committed();
    arrive(accounting, 'b1', 'a1', 'a3');
    expect(accounting.verdict()).toMatchObject({ ok: false, missing: ['a2'], outOfOrder: [], waiting: 1 });
  });

  it('finds a row that first arrived after a later one of its key', () => {
    const accounting = committed();
    arrive(accounting, 'a1', 'a3', 'a2', 'b1');
    expect(accounting.verdict()).toMatchObject({ ok: false, missing: [], outOfOrder: ['a2'] });
  });

  it('permits repetitions, since only first arrivals are promised in order', () => {
    const accounting = committed();
    arrive(accounting, 'a1', 'a2', 'a1', 'a2', 'a3', 'b1', 'b1');
    expect(accounting.verdict()).toMatchObject({ ok: true, repeated: 3, published: 4 });
  });

  it('finds rows of a rolled-back transaction, and rows that nobody wrote', () => {
    const accounting = committed();
    const undone = rows('a', 4);
    accounting.sent(undone, 0);
    accounting.rolledBack(undone);
    arrive(accounting, 'a1', 'a2', 'a3', 'b1');
    expect(accounting.verdict()).toMatchObject({ ok: true, rolledBack: 1 });
    arrive(accounting, 'a4', 'x1');
    expect(accounting.verdict()).toMatchObject({ ok: false, phantom: ['a4', 'x1'] });
  });

  it('counts a row that arrives before its writer has heard of the commit', () => {
    const accounting = new Accounting();
    const early = rows('a', 1);
    accounting.sent(early, 0);
    arrive(accounting, 'a1');
    expect(accounting.counts()).toMatchObject({ inserted: 0, published: 0, waiting: 0 });
    accounting.committed(early);
    expect(accounting.verdict()).toMatchObject({ ok: true, inserted: 1, published: 1 });
  });

  it('forgets old latencies for the live view, and none for the verdict', () => {
    const accounting = committed();
    arrive(accounting, 'a1', 'a2');
    accounting.forgetOldLatencies();
    expect(accounting.recentLatency()).not.toBeNull();
    accounting.forgetOldLatencies();
    expect(accounting.recentLatency()).toBeNull();
    expect(accounting.verdict().latencyMs?.p50).toBeCloseTo(5.1);
  });
});

describe("the demo's report", () => {
  it('names what is wrong, the relay and the table included', () => {
    const accounting = committed();
    arrive(accounting, 'a1', 'a3', 'a2');
    const lines = reportLines({ ...accounting.verdict(), left: 1, relayExitCode: 1 });
    expect(lines).toEqual([
      'FAILED: 3 of 4 inserted rows arrived, 1 missing, 1 out of order, 0 repeated, 0 rolled back and 0 of those published; lag p50 5.1 ms, p99 5.1 ms',
      '  missing: b1',
      '  out of order: a2',
      '  1 rows are still in the outbox table',
      '  the relay ended with 1 instead of 0',
    ]);
  });
});

describe('latencies', () => {
  it('are told by nearest rank in tenths of a millisecond, the longest ones too', () => {
    const latencies = new Latencies();
    expect(latencies.percentiles()).toBeNull();
    for (let ms = 0; ms < 100; ms++) latencies.add(ms + 0.05);
    expect(latencies.percentiles()).toEqual({ p50: 49.1, p99: 98.1 });
    for (let more = 0; more < 100; more++) latencies.add(1e9);
    expect(latencies.percentiles()?.p99).toBe(10_000);
  });
});
