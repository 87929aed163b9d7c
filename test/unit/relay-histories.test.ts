import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { History, type HistoryPlan } from '../support/simulation/history.ts';

/** The real relay under simulated writers, visibility, faults and crashes: thousands of seconds of it in fake time. */
describe('the relay in simulated histories', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  async function run(plan: HistoryPlan): Promise<Awaited<ReturnType<History['run']>>> {
    const history = new History(plan).run();
    const progress = { done: false };
    void history.finally(() => (progress.done = true));
    for (let step = 0; step < 50_000 && !progress.done; step++) await vi.advanceTimersByTimeAsync(5);
    return history;
  }

  const probability = (most: number): fc.Arbitrary<number> => fc.constantFrom(0, most / 4, most);

  const plans: fc.Arbitrary<HistoryPlan> = fc.record({
    seed: fc.integer({ min: 1, max: 2 ** 30 }),
    transactions: fc.integer({ min: 8, max: 80 }),
    keys: fc.integer({ min: 1, max: 6 }),
    crashes: fc.integer({ min: 0, max: 3 }),
    memoryRows: fc.constantFrom(10, 40, 1000),
    lateVisibility: fc.constantFrom(0, 0.2, 0.8),
    refusals: probability(0.1),
    faultyRows: probability(0.05),
    onError: fc.constantFrom('park-key', 'dead-letter'),
    keyless: probability(0.3),
    destinations: fc.constantFrom(1, 2),
    keysInSql: fc.boolean(),
    orderly: fc.boolean(),
    database: fc.record({
      streamEnds: probability(0.02),
      openFails: probability(0.3),
      passFails: probability(0.05),
      settleFails: probability(0.1),
      parkFails: probability(0.3),
    }),
    broker: fc.record({
      openFails: probability(0.3),
      sessionFails: probability(0.05),
      deadLetterFails: probability(0.3),
      stalls: probability(0.1),
    }),
  });

  it('publishes every committed row, none that was rolled back, in order per key, and ends up streaming', async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        expect(await run(plan)).toEqual({
          missing: [],
          phantoms: [],
          disorder: [],
          duplicates: [],
          leftInTable: 0,
          stragglers: 0,
          streaming: true,
        });
      }),
      { numRuns: Number(process.env.HISTORIES ?? 300) },
    );
  }, 600_000);
});
