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
  /** After the first order, in milliseconds. */
  readonly atMs: number;
  /** Until it is started again, in milliseconds. */
  readonly downMs: number;
}

const LONGEST_DOWN_MS = 800;
/** So long nothing happens at first, that there is something to interrupt. */
const QUIET_MS = 1000;

/** Kills: services at what they commit, each of the others once, at a random moment. */
export class Killer {
  readonly kills: Kill[] = [];
  readonly #services: readonly CommitKills[];
  readonly #others: readonly Promise<void>[];

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
    const plan = planKills(seed, [...relays, broker], (orders / rate) * 1000);
    this.#others = plan.map((kill) => killAndRestart(kill, () => note(kill.party.name, null)));
  }

  /** Resolves when all who are not services have been killed and started again. */
  async untilOthersAreBack(): Promise<void> {
    await Promise.all(this.#others);
  }

  /** Kills nobody any more. @throws when somebody could not be started again */
  async end(): Promise<void> {
    await Promise.all([...this.#others, ...this.#services.map((service) => service.end())]);
  }
}

/** Draws when each of the victims is killed, and how long it is down. The same seed draws the same. */
function planKills(seed: number, victims: readonly Party[], withinMs: number): PlannedKill[] {
  const random = new Random(seed);
  return victims.map((party) => ({
    party,
    atMs: QUIET_MS + random.below(withinMs),
    downMs: random.below(LONGEST_DOWN_MS),
  }));
}

async function killAndRestart({ party, atMs, downMs }: PlannedKill, note: () => void): Promise<void> {
  await delay(atMs);
  note();
  await party.kill();
  await delay(downMs);
  await party.start();
}
