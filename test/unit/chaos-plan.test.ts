import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHAOS_LANES } from '../../scripts/test/chaos.ts';
import { FAULT_NAMES, FAULTS, faultsFor } from '../chaos/faults/index.ts';
import { parseOptions } from '../chaos/options.ts';
import { drawRound } from '../chaos/plan.ts';
import { account, faults as problemsOf } from '../support/workload/accounting.ts';

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

  it('has every fault within two hundred rounds, and rounds without any', () => {
    const rounds = Array.from({ length: 200 }, (_, index) => drawRound(1, index + 1, FAULT_NAMES));
    const drawn = new Set(rounds.flatMap(({ faults }) => faults.map(({ name }) => name)));
    expect([...drawn].sort()).toEqual([...FAULT_NAMES].sort());
    const quiet = rounds.filter(({ faults }) => faults.length === 0);
    expect(quiet.length).toBeGreaterThan(6);
    expect(quiet.length).toBeLessThan(50);
  });
});

describe('the rounds that CI plays', () => {
  it('have every fault that is named for them among the first five of each run', () => {
    const legs = CHAOS_LANES.flat();
    const drawn = legs.flatMap(({ seed, faults }) =>
      [1, 2, 3, 4, 5].flatMap((round) => drawRound(seed, round, faults).faults.map(({ name }) => name)),
    );
    expect(new Set(drawn)).toEqual(new Set(legs.flatMap(({ faults }) => faults)));
  });
});

describe('the options of a run', () => {
  it('choose among the faults that the broker can have', () => {
    expect(parseOptions(['--broker', 'rabbitmq']).faults).toEqual(FAULT_NAMES);
    expect(parseOptions([]).faults).toEqual(faultsFor('kafka'));
    expect(faultsFor('kafka', true)).not.toContain('disk-full');
    expect(faultsFor('kafka')).not.toContain('queue-full');
    expect(parseOptions(['--faults', 'relay-kill,broker-kill']).faults).toEqual(['relay-kill', 'broker-kill']);
  });

  it('ask for ten rounds, or for one and more until the time is over', () => {
    expect(parseOptions([])).toMatchObject({ rounds: 10 });
    expect(parseOptions(['--for', '4m'])).toMatchObject({ rounds: 1, forMs: 240_000 });
    expect(parseOptions(['--for', '90s', '--rounds', '3'])).toMatchObject({ rounds: 3, forMs: 90_000 });
  });
});

describe('the accounting of what has arrived', () => {
  const event = { id: 'a', key: 'order-1', version: 2 };
  const written = { committed: [], rolledBack: new Set<string>(), takenBack: new Set<string>(), lost: 0, kinds: {} };

  it('forgives an event that a failover took back, and nothing else that was not committed', () => {
    const forgiven = account({ ...written, takenBack: new Set(['a']) }, [event, event]);
    expect(problemsOf(forgiven, 'none')).toEqual([]);
    expect(forgiven.takenBack).toHaveLength(1);
    expect(problemsOf(account(written, [event]), 'permitted')).toHaveLength(1);
  });

  it('counts anew the versions of a key that a failover took back', () => {
    const [first, again] = [
      { ...event, version: 1 },
      { id: 'b', key: 'order-1', version: 2 },
    ];
    const found = account({ ...written, committed: [{ ...first, id: 'c' }, again], takenBack: new Set(['a']) }, [
      { ...event, version: 9 },
      { ...first, id: 'c' },
      again,
    ]);
    expect(problemsOf(found, 'none')).toEqual([]);
  });
});
