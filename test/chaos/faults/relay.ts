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
    lane: 'relay',
    lasts: [0, 2_000],
    strike: ({ relays }, forMs) => relays.replaceLeader('SIGKILL', forMs),
  },
  'relay-restart': {
    lane: 'relay',
    lasts: [0, 1_000],
    strike: ({ relays }, forMs) => relays.replaceLeader('SIGTERM', forMs),
  },
  'relay-freeze': { lane: 'relay', lasts: [500, 8_000], strike: FREEZE },
  /** Long enough for the other to take over, so that there are two when it is continued. */
  'leader-freeze': { lane: 'relay', lasts: [6_000, 12_000], pair: true, strike: FREEZE },
} satisfies Readonly<Record<string, Fault>>;
