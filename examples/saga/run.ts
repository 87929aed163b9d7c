import { setTimeout as delay } from 'node:timers/promises';
import { removeScratchFolder, scratchFolder } from '../../test/support/services/scratch.ts';
import { until } from '../../test/support/services/until.ts';
import { type Facts, problemsOf } from './accounting.ts';
import { type Answers, placeOrders } from './customers.ts';
import { readFacts } from './facts.ts';
import { type PlannedKill, planKills } from './kills.ts';
import type { SagaOptions } from './options.ts';
import type { OwnProcess, Party } from './processes.ts';
import { PaymentProvider } from './provider.ts';
import { repeatMessages } from './repeater.ts';
import type { Style } from './services/runtime/config.ts';
import { type Ground, setUp } from './stage.ts';

const SETTLE_TIMEOUT_MS = 90_000;

/** How it went. */
export interface SagaResult {
  readonly style: Style;
  readonly answers: Answers;
  readonly facts: Facts;
  readonly kills: readonly PlannedKill[];
  /** What the services have told, by event: how often. */
  readonly told: Readonly<Record<string, number>>;
  /** Requests that the provider has got. */
  readonly requests: number;
  /** What is not as it should be; empty: all is well. */
  readonly problems: readonly string[];
}

/**
 * Sets everything up for one style, places orders while things go wrong, waits until all has come to rest, and accounts for it.
 * Whatever it has started has ended when this resolves or rejects.
 */
export async function runSaga(
  style: Style,
  options: SagaOptions,
  ground: Ground,
  say: (line: string) => void,
): Promise<SagaResult> {
  const folder = await scratchFolder('saga');
  await using provider = new PaymentProvider(options.faults === 'none' ? null : options.seed);
  const providerUrl = await provider.listen();
  const stage = await setUp(ground, { style, orderTimeoutMs: options.orderTimeoutMs, providerUrl, folder });
  const processes = [...stage.services, ...stage.relays];
  const over = new AbortController();
  try {
    say(`Starting the services and their relays (${style}) ...`);
    await Promise.all(processes.map((each) => each.start()));
    await Promise.all(processes.map((each) => each.untilReady()));
    const parties = [...processes, brokerOf(ground)];
    if (options.faults === 'all') void repeatMessages(ground.rabbitmq.url, stage.exchange, options.seed, over.signal);
    const kills = options.faults === 'all' ? plan(options, parties) : [];
    say(`Placing ${options.orders} orders, ${options.rate} a second`);
    const [answers] = await Promise.all([
      placeOrders(stage.shopUrl, options),
      ...parties.map((party) => killAndRestart(party, kills, say)),
    ]);
    say('Waiting for everything to come to rest');
    const facts = await settled(() => readFacts(ground, stage, provider, answers.accepted), say);
    const endings = await Promise.all(processes.map(ending));
    const problems = [...problemsOf(facts), ...endings.flat(), ...unanswered(answers)];
    return { style, answers, facts, kills, told: await told(stage.services), requests: provider.requests, problems };
  } finally {
    over.abort();
    await Promise.all(processes.map((each) => each.kill()));
    await removeScratchFolder(folder);
  }
}

/** Everybody once. */
function plan({ seed, orders, rate }: SagaOptions, parties: readonly Party[]): PlannedKill[] {
  const names = parties.map(({ name }) => name);
  return planKills(seed, names, (orders / rate) * 1000);
}

function brokerOf({ rabbitmq }: Ground): Party {
  return { name: 'rabbitmq', start: () => rabbitmq.restart(), kill: () => rabbitmq.kill() };
}

/** Carries out what is planned for one party, one after the other. */
async function killAndRestart(party: Party, plan: readonly PlannedKill[], say: (line: string) => void): Promise<void> {
  const begun = performance.now();
  for (const { atMs, downMs } of plan.filter((kill) => kill.party === party.name)) {
    await delay(Math.max(0, begun + atMs - performance.now()));
    say(`  ${((performance.now() - begun) / 1000).toFixed(1)} s: SIGKILL to ${party.name}`);
    await party.kill();
    await delay(downMs);
    await party.start();
  }
}

/** Waits until nothing is wrong any more; what is wrong when the time is up is told by the verdict. */
async function settled(read: () => Promise<Facts>, say: (line: string) => void): Promise<Facts> {
  let facts = await read();
  let told = '';
  const rested = async (): Promise<boolean> => {
    facts = await read();
    const [first = '', ...others] = problemsOf(facts);
    if (first !== told) say(`  ${first}${others.length === 0 ? '' : `, and ${others.length} things more`}`);
    told = first;
    return first === '';
  };
  await until(rested, { what: 'rest', timeoutMs: SETTLE_TIMEOUT_MS, everyMs: 1000 }).catch(() => undefined);
  return facts;
}

async function ending(each: OwnProcess): Promise<string[]> {
  const how = await each.stop();
  return how === 'exit code 0' ? [] : [`${each.name} ended with ${how}`];
}

function unanswered({ unanswered: count }: Answers): string[] {
  return count === 0 ? [] : [`${count} customers got no answer`];
}

async function told(services: readonly OwnProcess[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const text of await Promise.all(services.map((service) => service.log()))) {
    for (const [, event = ''] of text.matchAll(/^{"time":"[^"]*","event":"([^"]+)"/gm))
      counts[event] = (counts[event] ?? 0) + 1;
  }
  return counts;
}
