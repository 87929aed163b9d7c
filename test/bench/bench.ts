import { BROKER_NAMES, type Broker, type BrokerName } from './brokers/broker.ts';
import { startKafkaBroker } from './brokers/kafka.ts';
import { startRabbitmqBroker } from './brokers/rabbitmq.ts';
import type { BenchCase } from './cases/case.ts';
import { CASES } from './cases/index.ts';
import { CASE_NAMES } from './cases/names.ts';
import type { Contestant } from './contestants/contestant.ts';
import { PEERS } from './contestants/index.ts';
import { relay, relayAsOneProcess, relaysWithShards } from './contestants/relay.ts';
import { startBenchPostgres } from './database.ts';
import { type Machine, thisMachine } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { type CaseReport, caseReport, workReport } from './report.ts';
import { fetchAll, playRounds } from './rounds.ts';
import { type Arena, runOnce, writingAlone } from './run.ts';
import { SMOKE_CASES, smokeOptions } from './smoke.ts';
import { markdownLines, textLines } from './tables.ts';

/** Of the case that has several processes. */
const SHARDS = 2;

const START_BROKER: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  kafka: startKafkaBroker,
  rabbitmq: startRabbitmqBroker,
};

/**
 * Runs a case, or with `all` and `smoke` several, and yields the report of each.
 *
 * @param say gets lines for people: progress, and the tables
 * @throws when something cannot be started, or the relay did not do all of its work
 */
export async function* bench(asked: BenchOptions, say: (line: string) => void): AsyncGenerator<CaseReport> {
  const machine = thisMachine();
  const options = asked.case === 'smoke' ? smokeOptions(asked) : asked;
  const cases = casesOf(asked);
  await using postgres = await startBenchPostgres();
  for (const name of BROKER_NAMES) {
    const those = cases.filter((each) => (each.broker ?? options.broker) === name);
    if (those.length === 0) continue;
    const broker = await START_BROKER[name]();
    try {
      const about: Machine = { ...machine, postgres: postgres.version, broker: broker.title };
      for (const each of those) {
        const report = await runCase(each, options, { postgres, broker }, about, say);
        const table = options.markdown ? markdownLines(each, report) : textLines(each, report);
        for (const line of ['', ...table, '']) say(line);
        yield report;
      }
    } finally {
      await broker.dispose();
    }
  }
}

function casesOf({ case: name }: BenchOptions): readonly BenchCase[] {
  if (name === 'smoke') return SMOKE_CASES;
  return name === 'all' ? CASE_NAMES.map((each) => CASES[each]) : [CASES[name]];
}

async function runCase(
  each: BenchCase,
  options: BenchOptions,
  arena: Arena,
  machine: Machine,
  say: (line: string) => void,
): Promise<CaseReport> {
  const contestants = contestantsOf(each, options, arena.broker.name);
  const absent = await fetchAll(contestants);
  const series = [];
  for (const work of each.works(options)) {
    const unique = `${each.name}_${work.label.replaceAll(/\W+/g, '_')}`.toLowerCase();
    const writing =
      work.server && work.written === 'during' ? await writingAlone(arena, work, `${unique}_writing`) : undefined;
    const outcomes = await playRounds(contestants, absent, options.rounds, (contestant, round) => {
      say(`${each.name} ${work.label}: ${contestant.name}, round ${round + 1} of ${options.rounds}`);
      return runOnce(arena, contestant, work, `${unique}_${contestant.name.replaceAll('-', '_')}_${round}`, writing);
    });
    series.push(workReport({ ratio: work.ratio ?? each.ratio, broker: arena.broker.name, work }, outcomes));
  }
  return caseReport(each, machine, series);
}

function contestantsOf(each: BenchCase, options: BenchOptions, broker: BrokerName): readonly Contestant[] {
  const { nodeArguments, alone, peers } = options;
  if (each.against === 'one-process') {
    const ours = relaysWithShards(nodeArguments, SHARDS);
    return alone ? [ours] : [ours, relayAsOneProcess(nodeArguments)];
  }
  const ours = relay(nodeArguments, each.against === 'itself' ? 'dead' : 'none');
  if (alone || each.against === 'first-work') return [ours];
  if (each.against === 'itself') return [ours, relay(nodeArguments, 'idle')];
  const asked = peers.map((name) => PEERS[name]);
  return [ours, ...asked.filter((peer) => takesPart(peer, each, broker))];
}

function takesPart({ does, brokers }: Contestant, { limit }: BenchCase, broker: BrokerName): boolean {
  return brokers.includes(broker) && (does === 'all' || does === limit);
}
