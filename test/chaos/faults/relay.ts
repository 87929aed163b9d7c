import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

const FREEZE: Fault['strike'] = async ({ relays }, forMs) => {
  const leader = await relays.leader();
  leader.signal('SIGSTOP');
  await delay(forMs);
  leader.signal('SIGCONT');
};

/** What happens to the relay's own process; a supervisor starts it again where it ends. */
export const RELAY_FAULTS = {
  'relay-kill': {
    lanes: ['relay'],
    lasts: [0, 2_000],
    strike: ({ relays }, forMs) => relays.replaceLeader('SIGKILL', forMs),
  },
  'relay-restart': {
    lanes: ['relay'],
    lasts: [0, 1_000],
    strike: ({ relays }, forMs) => relays.replaceLeader('SIGTERM', forMs),
  },
  'relay-freeze': { lanes: ['relay'], lasts: [500, 8_000], strike: FREEZE },
  /** Long enough for the other to take over, so that there are two when it is continued. */
  'leader-freeze': { lanes: ['relay'], lasts: [6_000, 12_000], pair: true, ownOnly: true, strike: FREEZE },
  /** The wall clocks of all relays are ten minutes ahead, then ten minutes behind, then right again. */
  'clock-jump': {
    lanes: ['relay'],
    lasts: [200, 3_000],
    ownOnly: true,
    strike: async ({ relays }, forMs) => {
      for (const pauseMs of [forMs, forMs, 0]) {
        relays.jumpClocks();
        await delay(pauseMs);
      }
    },
  },
  /** Relays, Postgres and broker are killed at the same moment, and come back in any order. */
  'power-loss': {
    lanes: ['relay', 'postgres', 'broker'],
    lasts: [0, 1_000],
    strike: async ({ relays, postgres: { primary }, broker }, forMs) => {
      await Promise.all([relays.killAll(), primary.kill(), broker.kill()]);
      await delay(forMs);
      await Promise.all([relays.startAgain(), primary.restart(), broker.restart()]);
    },
  },
} satisfies Readonly<Record<string, Fault>>;
