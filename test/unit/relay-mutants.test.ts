import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mutated } from '../support/mutants/plugin.ts';
import type { Mutant } from '../support/mutants/mutant.ts';
import { RELAY_MUTANTS } from '../support/mutants/relay-mutants.ts';
import { play } from '../support/simulation/history.ts';
import { plans } from '../support/simulation/plan.ts';
import { violations } from '../support/simulation/truth.ts';

/** So many histories must be enough to find a mutant. */
const HISTORIES = 1_500;

/** What the simulated histories would find if a rule did not hold: each is broken in turn. */
describe('the simulated histories', () => {
  it.each(RELAY_MUTANTS)(
    'find when $name (rule $rule): $finds',
    async (mutant) => {
      const playMutant = await mutantOf(mutant);
      const survived: string[] = [];
      for (const plan of fc.sample(plans(mutant.plans), { seed: 1, numRuns: HISTORIES })) {
        const found = violations(await playMutant(plan, mutant.breaks ?? null));
        survived.push(found.join());
        if (!found.includes(mutant.finds)) continue;
        // by the mutation, and not by the history
        expect(violations(await play(plan))).toEqual([]);
        return;
      }
      expect.fail(`survived ${HISTORIES} histories, which found: ${[...new Set(survived)].join(' | ')}`);
    },
    120_000,
  );
});

async function mutantOf({ edits = [] }: Mutant): Promise<typeof play> {
  if (edits.length === 0) return play;
  const module = (await import(mutated('../support/simulation/history.ts', edits))) as { play: typeof play };
  return module.play;
}
