import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Gate } from '../support/simulation/gate.ts';
import { play } from '../support/simulation/history.ts';
import { historiesSeed, historiesToPlay, plans } from '../support/simulation/plan.ts';
import { FINE } from '../support/simulation/truth.ts';

/** Half of the histories; the other half is in relay-crash-points.test.ts, so that both cores have some. */
const RUNS = Math.ceil(historiesToPlay() / 2);

it('a simulated process may die at its very first crossing', () => {
  const gate = new Gate({ crossing: 1, action: (own) => own.close() });
  const crossed: string[] = [];
  gate.cross(() => crossed.push('first'));
  gate.cross(() => crossed.push('second'));
  expect([gate.shut, crossed]).toEqual([true, []]);
});

it('in histories of all kinds the relay publishes every committed row, none that was taken back, in order per key, and ends up streaming', async () => {
  // a failure prints the plan, and seed and path for `fc.assert`
  await fc.assert(
    fc.asyncProperty(plans(), async (plan) => {
      expect(await play(plan)).toEqual(FINE);
    }),
    { numRuns: RUNS, seed: historiesSeed() },
  );
}, 600_000);
