import type { StartedRabbitmq } from '../../test/support/services/rabbitmq.ts';
import { type Facts, problemsOf } from './accounting.ts';
import { type Answers, placeOrders } from './customers.ts';
import { readFacts } from './facts.ts';
import { type Kill, Killer } from './kills.ts';
import { Listener } from './listener.ts';
import type { SagaOptions } from './options.ts';
import type { OwnProcess, Party } from './processes.ts';
import { drawnFaults, PaymentProvider } from './provider.ts';
import { untilAtRest } from './rest.ts';
import type { Style } from './services/runtime/config.ts';
import { expireOrder, type Ground, setUp, type Stage } from './stage.ts';

/** How it went. */
export interface SagaResult {
  readonly style: Style;
  readonly answers: Answers;
  readonly facts: Facts;
  readonly kills: readonly Kill[];
  /** What the services have told, by event: how often. */
  readonly told: Readonly<Record<string, number>>;
  /** Requests that the provider has got. */
  readonly requests: number;
  /** What is not as it should be; empty: all is well. */
  readonly problems: readonly string[];
}

type Say = (line: string) => void;

/**
 * Sets everything up for one style, places orders while things go wrong, waits until all has come to rest, and accounts for it.
 * Whatever it has started has ended when this resolves or rejects.
 */
export async function runSaga(style: Style, options: SagaOptions, ground: Ground, say: Say): Promise<SagaResult> {
  const { faults, seed, orderTimeoutMs } = options;
  const expired: Promise<void>[] = [];
  // An order that only its timeout can end: its time is over at once, and nobody has to wait for it.
  const onUnheard = (id: string): void => void expired.push(expireOrder(stage, id));
  await using provider = new PaymentProvider(faults === 'none' ? null : drawnFaults(seed), onUnheard);
  await using stage = await setUp(ground, { style, orderTimeoutMs, providerUrl: await provider.listen() });
  await using listener = new Listener(ground.rabbitmq.url, stage.exchange, faults === 'all' ? seed : null);
  say(`Starting the services and their relays (${style}) ...`);
  await listener.start();
  await Promise.all(stage.processes.map((each) => each.start()));
  await Promise.all(stage.processes.map((each) => each.untilReady()));
  const killer = faults === 'all' ? new Killer(stage, brokerOf(ground.rabbitmq), options, say) : null;
  say(`Placing ${options.orders} orders, ${options.rate} a second`);
  const [answers] = await Promise.all([placeOrders(stage.shopUrl, options), killer?.untilOthersAreBack()]);
  say('All orders are placed; waiting for what becomes of them');
  const witnesses = { provider, listener, accepted: answers.accepted };
  const facts = await untilAtRest(() => readFacts(ground, stage, witnesses), say);
  await Promise.all([killer?.end(), ...expired]);
  const endings = await Promise.all(stage.processes.map(ending));
  const problems = [...problemsOf(facts), ...endings.flat(), ...unanswered(answers)];
  const { requests } = provider;
  return { style, answers, facts, kills: killer?.kills ?? [], told: await told(stage), requests, problems };
}

function brokerOf(rabbitmq: StartedRabbitmq): Party {
  return { name: 'rabbitmq', start: () => rabbitmq.restart(), kill: () => rabbitmq.kill() };
}

async function ending(each: OwnProcess): Promise<string[]> {
  const how = await each.stop();
  return how === 'exit code 0' ? [] : [`${each.name} ended with ${how}`];
}

function unanswered({ unanswered: count }: Answers): string[] {
  return count === 0 ? [] : [`${count} customers got no answer`];
}

async function told({ services }: Stage): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const text of await Promise.all(services.map((service) => service.log()))) {
    for (const [, event = ''] of text.matchAll(/^{"time":"[^"]*","event":"([^"]+)"/gm))
      counts[event] = (counts[event] ?? 0) + 1;
  }
  return counts;
}
