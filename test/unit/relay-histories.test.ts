import fc from 'fast-check';
import { expect, it } from 'vitest';
import { play } from '../support/simulation/history.ts';
import { historiesToPlay, type HistoryPlan, plans } from '../support/simulation/plan.ts';
import { FINE } from '../support/simulation/truth.ts';

/** Half of the histories; the other half is in relay-crash-points.test.ts, so that both cores have some. */
const RUNS = Math.ceil(historiesToPlay() / 2);

/** Killed at its very first crossing, which the simulation once did not do; it then went on beside the next leader. */
const FIRST_CROSSING: HistoryPlan = {
  seed: 871372514,
  transactions: 5,
  keys: 4,
  habits: { late: 0.8, asynchronous: 0.2, prepared: 0.1, refused: 0, faulty: 0, keyless: 0.3 },
  ends: [{ kind: 'kill', crossing: 1 }],
  disasters: ['failover'],
  database: {
    streamEnds: 0,
    streamLags: 0.2,
    openFails: 0,
    passFails: 0.0125,
    settleFails: 0,
    parkFails: 0.075,
    strayStreams: 0,
    slowXids: 0,
  },
  broker: { openFails: 0, sessionFails: 0, deadLetterFails: 0, stalls: 0 },
  memoryRows: 40,
  onError: 'park-key',
  destinations: 2,
  keysInSql: false,
  onlyVisible: false,
  audits: true,
};

it('in histories of all kinds the relay publishes every committed row, none that was taken back, in order per key, and ends up streaming', async () => {
  // a failure prints the plan, and seed and path for `fc.assert`
  await fc.assert(
    fc.asyncProperty(plans(), async (plan) => {
      expect(await play(plan)).toEqual(FINE);
    }),
    { numRuns: RUNS, examples: [[FIRST_CROSSING]] },
  );
}, 600_000);
