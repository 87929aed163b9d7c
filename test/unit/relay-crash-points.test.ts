import fc from 'fast-check';
import { expect, it } from 'vitest';
import { play } from '../support/simulation/history.ts';
import { historiesSeed, historiesToPlay, plans } from '../support/simulation/plan.ts';
import { FINE } from '../support/simulation/truth.ts';

/** How many crossings of its border a relay makes at most before it is killed: past the first handover, as a rule. */
const CROSSINGS = 100;
const RUNS = Math.ceil(historiesToPlay() / 2 / CROSSINGS);

it('a relay may be killed at any crossing of its border, one after the other', async () => {
  // a failure prints the plan, and seed and path for `fc.assert`
  await fc.assert(
    fc.asyncProperty(plans({ transactions: fc.constant(12), ends: fc.constant([]) }), async (plan) => {
      for (let crossing = 1; crossing <= CROSSINGS; crossing++) {
        const killed = { ...plan, ends: [{ kind: 'kill', crossing }] } as const;
        expect({ crossing, ...(await play(killed)) }).toEqual({ crossing, ...FINE });
      }
    }),
    { numRuns: RUNS, endOnFailure: true, seed: historiesSeed() },
  );
}, 600_000);
