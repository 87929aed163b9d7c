import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULT_NAMES, FAULTS } from '../chaos/faults/index.ts';
import { drawRound } from '../chaos/plan.ts';

const SEED = fc.integer({ min: 1, max: 1e6 });
const ROUND = fc.integer({ min: 1, max: 1e4 });
const AMONG = fc.uniqueArray(fc.constantFrom(...FAULT_NAMES), { minLength: 1 });

describe('a round of chaos', () => {
  it('follows from seed, round and the faults to choose from', () => {
    fc.assert(
      fc.property(SEED, ROUND, AMONG, (seed, round, among) => {
        const plan = drawRound(seed, round, among);
        expect(drawRound(seed, round, among)).toEqual(plan);
        for (const { name, lastsMs } of plan.faults) {
          const [least, most] = FAULTS[name].lasts;
          expect(among).toContain(name);
          expect(lastsMs).toBeGreaterThanOrEqual(least);
          expect(lastsMs).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  it('has what its faults need', () => {
    fc.assert(
      fc.property(SEED, ROUND, (seed, round) => {
        const { faults, relays } = drawRound(seed, round, FAULT_NAMES);
        if (faults.some(({ name }) => FAULTS[name].pair === true)) expect(relays).toBe(2);
      }),
    );
  });

  it('has every fault within a hundred rounds, and rounds without any', () => {
    const rounds = Array.from({ length: 100 }, (_, index) => drawRound(1, index + 1, FAULT_NAMES));
    const drawn = new Set(rounds.flatMap(({ faults }) => faults.map(({ name }) => name)));
    expect([...drawn].sort()).toEqual([...FAULT_NAMES].sort());
    const quiet = rounds.filter(({ faults }) => faults.length === 0);
    expect(quiet.length).toBeGreaterThan(3);
    expect(quiet.length).toBeLessThan(25);
  });
});
