import { describe, expect, test } from 'vitest';
import { slotWaitsError } from '../../src/capture/stream/slot-waits.ts';
import { WalBudget } from '../../src/capture/stream/wal-budget.ts';
import type { ErrorCode } from '../../src/core/error-catalogue.ts';
import { RelayError } from '../../src/core/errors.ts';
import { ReopenPolicy } from '../../src/relay/reopen-policy.ts';

test('the budget: near is told once, and again only after half of it was free', () => {
  const budget = new WalBudget(1000);
  const verdicts = [0, 799, 800, 950, 1000, 700, 900, 499, 799, 800].map((bytes) => budget.judge(bytes));
  const within = 'within' as const;
  expect(verdicts).toEqual([within, within, 'near', within, within, within, within, within, within, 'near']);
  expect(budget.judge(1001)).toBe('exceeded');
});

describe('when a stream is opened again', () => {
  const WAIT_MS = 1000;

  function policy() {
    const clock = { now: 0 };
    const reopen = new ReopenPolicy(WAIT_MS, () => clock.now);
    /** A stream that lives for so long and then ends; returns the wait after it. */
    const lives = (milliseconds: number, code: ErrorCode): number => {
      reopen.opened();
      reopen.progressed();
      clock.now += milliseconds;
      return reopen.afterEnd(new RelayError(code, 'over'));
    };
    return { reopen, lives };
  }

  test('after too much retained log: later each time, however well the streams went, until one has lived for long', () => {
    const { lives } = policy();
    const waits = Array.from({ length: 8 }, () => lives(9 * WAIT_MS, 'wal_budget_exceeded'));
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 32, 32].map((times) => times * WAIT_MS));
    expect(lives(10 * WAIT_MS, 'replication_slot_lost')).toBe(WAIT_MS);
  });

  test('an attempt that used the budget up while it waited counts like a stream', () => {
    const { reopen, lives } = policy();
    const waits = [1, 2, 4].map(() => reopen.afterRefusal(new RelayError('wal_budget_exceeded', 'waiting')));
    expect(waits).toEqual([WAIT_MS, 2 * WAIT_MS, 4 * WAIT_MS]);
    expect(lives(WAIT_MS, 'wal_budget_exceeded')).toBe(8 * WAIT_MS);
  });

  test('what somebody has to mend is tried again after the wait; what may pass, sooner', () => {
    const { reopen, lives } = policy();
    for (let n = 0; n < 5; n++) {
      expect(reopen.afterRefusal(new RelayError('replication_wal_level', 'replica'))).toBe(WAIT_MS);
      expect(lives(1, 'replication_failed')).toBeLessThanOrEqual(100);
    }
    const after = Array.from({ length: 20 }, () => reopen.afterRefusal(new RelayError('replication_failed', 'no')));
    expect(Math.max(...after.slice(0, 3))).toBeLessThanOrEqual(800);
    expect(Math.max(...after)).toBeGreaterThan(800);
  });
});

describe('what a slot waits for is told with what ends it', () => {
  const running = {
    xid: '700',
    pid: 4711,
    gid: null,
    applicationName: 'reports',
    role: 'analyst',
    database: 'shop',
    ageSeconds: 7199.6,
    ageIsLowerBound: false,
  };

  test('a running transaction', () => {
    expect(slotWaitsError(running)).toMatchObject({
      code: 'replication_slot_waits',
      message:
        'the creation of a replication slot waits for transaction 700 of process 4711: application reports, role analyst, database shop, for 7200 s',
      remedy: expect.stringContaining('pg_terminate_backend(4711)') as string,
    });
    expect(slotWaitsError({ ...running, ageIsLowerBound: true }).message).toContain('for at least 7200 s');
  });

  test('a prepared transaction, whatever its name', () => {
    const prepared = { ...running, pid: null, gid: "it's", applicationName: null };
    const error = slotWaitsError(prepared);
    expect(error.message).toContain("prepared transaction 'it's' (700): role analyst, database shop, for 7200 s");
    expect(error.remedy).toContain("In database shop: COMMIT PREPARED 'it''s'; or ROLLBACK PREPARED 'it''s';");
  });

  test('one that has ended between two looks', () => {
    expect(slotWaitsError({ ...running, pid: null }).remedy).toMatch(/^Nothing/);
  });
});
