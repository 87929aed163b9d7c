import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../test/support/simulation/random.ts';
import { CommitKills } from './commit-kills.ts';
import type { SagaOptions } from './options.ts';
import type { Party } from './processes.ts';
import type { Stage } from './stage.ts';

/** A SIGKILL. */
export interface Kill {
  readonly party: string;
  /** What a service's database had committed, without the service's knowing it; null: at a random moment. */
  readonly committed: string | null;
}

interface PlannedKill {
  readonly party: Party;
  /** Until it is killed, in milliseconds. */
  readonly afterMs: number;
  /** Until it is started again, in milliseconds. */
  readonly downMs: number;
}

const LONGEST_DOWN_MS = 800;
/** So long nothing happens at first, that there is something to interrupt. */
const QUIET_MS = 500;

/** Kills: services at what they commit, each of the others once, at a random moment. */
export class Killer {
  readonly kills: Kill[] = [];
  readonly #services: readonly CommitKills[];
  readonly #others: Promise<void>;

  /** Begins. */
  constructor(
    { services, relays }: Stage,
    broker: Party,
    { seed, orders, rate }: SagaOptions,
    say: (line: string) => void,
  ) {
    const begun = performance.now();
    const note = (party: string, committed: string | null): void => {
      this.kills.push({ party, committed });
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      const when = committed === null ? '' : `, which does not know that it has committed: ${committed}`;
      say(`  ${seconds} s: SIGKILL to ${party}${when}`);
    };
    this.#services = services.map(
      (service) => new CommitKills(service, service.commits, (committed) => note(service.name, committed)),
    );
    const carryOut = (kill: PlannedKill): Promise<void> => killAndRestart(kill, () => note(kill.party.name, null));
    const [ofBroker, ...ofRelays] = planKills(seed, [broker, ...relays], (orders / rate) * 500);
    // One after the other: a relay that has just started does not go on waiting for a broker that is back.
    const brokerIsBack = ofBroker === undefined ? Promise.resolve() : carryOut(ofBroker);
    this.#others = brokerIsBack.then(() => Promise.all(ofRelays.map(carryOut))).then(() => undefined);
  }

  /** Resolves when all who are not services have been killed and started again. */
  async untilOthersAreBack(): Promise<void> {
    await this.#others;
  }

  /** Kills nobody any more. @throws when somebody could not be started again */
  async end(): Promise<void> {
    await Promise.all([this.#others, ...this.#services.map((service) => service.end())]);
  }
}

/** Draws when each of the victims is killed, and how long it is down. The same seed draws the same. */
function planKills(seed: number, victims: readonly Party[], withinMs: number): PlannedKill[] {
  const random = new Random(seed);
  return victims.map((party) => ({
    party,
    afterMs: QUIET_MS + random.below(withinMs),
    downMs: random.below(LONGEST_DOWN_MS),
  }));
}

async function killAndRestart({ party, afterMs, downMs }: PlannedKill, note: () => void): Promise<void> {
  await delay(afterMs);
  note();
  await party.kill();
  await delay(downMs);
  await party.start();
}
