import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { play } from '../support/simulation/history.ts';
import { plans } from '../support/simulation/plan.ts';

const FINE = {
  missing: [],
  phantoms: [],
  disorder: [],
  duplicates: [],
  leftInTable: 0,
  stragglers: 0,
  stuck: null,
};

/** The real relay under simulated writers, visibility, faults and crashes. A failure prints seed and path. */
describe('the relay in simulated histories', () => {
  it('publishes every committed row, none that was taken back, in order per key, and ends up streaming', async () => {
    await fc.assert(
      fc.asyncProperty(plans(), async (plan) => {
        expect(await play(plan)).toEqual(FINE);
      }),
      { numRuns: Number(process.env.HISTORIES ?? 300) },
    );
  }, 600_000);
});
