import { type Broker, BROKER_NAMES, type BrokerName } from './brokers/broker.ts';
import { startKafkaBroker } from './brokers/kafka.ts';
import { startRabbitmqBroker } from './brokers/rabbitmq.ts';
import type { BenchCase, Work } from './cases/case.ts';
import { CASES } from './cases/index.ts';
import { CASE_NAMES } from './cases/names.ts';
import { CLIENT_ALONE } from './contestants/client-alone.ts';
import type { Contestant } from './contestants/contestant.ts';
import { relay } from './contestants/relay.ts';
import { startBenchPostgres } from './database.ts';
import { type Machine, thisMachine } from './machine.ts';
import type { Figures } from './measure/figures.ts';
import type { BenchOptions } from './options.ts';
import { type CaseReport, caseReport, tableLines, workReport } from './report.ts';
import { type Arena, runOnce } from './run.ts';

const START_BROKER: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  kafka: startKafkaBroker,
  rabbitmq: startRabbitmqBroker,
};

/** Those the relay is compared with. */
const OTHERS: readonly Contestant[] = [CLIENT_ALONE];

const SMOKE = { rows: 2_000, rounds: 1, rate: [1000], transaction: [1, 10], writers: 2 };

/**
 * Runs a case, or with `smoke` all of them, small, with both brokers.
 *
 * @param say gets lines for people: progress, and the table
 * @throws when something cannot be started, or a contestant did not do all of its work
 */
export async function bench(options: BenchOptions, say: (line: string) => void): Promise<readonly CaseReport[]> {
  const machine = thisMachine();
  const smoke = options.case === 'smoke';
  const cases = options.case === 'smoke' ? CASE_NAMES.map((name) => CASES[name]) : [CASES[options.case]];
  const brokers = smoke ? BROKER_NAMES : [options.broker];
  const reports: CaseReport[] = [];
  await using postgres = await startBenchPostgres();
  for (const name of brokers) {
    const broker = await START_BROKER[name]();
    try {
      const arena = { postgres, broker };
      const about: Machine = { ...machine, postgres: postgres.version, broker: broker.title };
      for (const each of cases) {
        const report = await runCase(each, smoke ? { ...options, ...SMOKE } : options, arena, about, say);
        for (const line of ['', ...tableLines(each, report), '']) say(line);
        reports.push(report);
      }
    } finally {
      await broker.dispose();
    }
  }
  return reports;
}

async function runCase(
  each: BenchCase,
  options: BenchOptions,
  arena: Arena,
  machine: Machine,
  say: (line: string) => void,
): Promise<CaseReport> {
  const contestants = contestantsOf(each, options, arena.broker.name);
  const series = [];
  for (const work of each.works(options)) {
    const runs = await runRounds(arena, contestants, work, options.rounds, (contestant, round) => {
      say(`${each.name} ${work.label}: ${contestant.name}, round ${round + 1} of ${options.rounds}`);
      return `${each.name}_${work.label.replaceAll(/\W+/g, '_')}_${contestant.name.replaceAll('-', '_')}_${round}`;
    });
    series.push(workReport({ ratio: work.ratio ?? each.ratio, broker: arena.broker.name, work }, runs));
  }
  return caseReport(each.name, machine, series);
}

function contestantsOf(each: BenchCase, options: BenchOptions, broker: BrokerName): readonly Contestant[] {
  const { nodeArguments, alone } = options;
  if (each.against === 'itself')
    return [relay(nodeArguments, 'dead'), ...(alone ? [] : [relay(nodeArguments, 'idle')])];
  return [relay(nodeArguments), ...(alone ? [] : OTHERS.filter((other) => takesPart(other, each, broker)))];
}

function takesPart({ role, brokers }: Contestant, { hasLimit }: BenchCase, broker: BrokerName): boolean {
  return brokers.includes(broker) && (role !== 'limit' || hasLimit);
}

/** Contestants take turns, and each round another begins, so that what the machine does meanwhile falls on all alike. */
async function runRounds(
  arena: Arena,
  contestants: readonly Contestant[],
  work: Work,
  rounds: number,
  announce: (contestant: Contestant, round: number) => string,
): Promise<ReadonlyMap<Contestant, readonly Figures[]>> {
  const runs = new Map(contestants.map((contestant) => [contestant, [] as Figures[]]));
  for (let round = 0; round < rounds; round++) {
    const turn = round % contestants.length;
    for (const contestant of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
      const figures = await runOnce(arena, contestant, work, announce(contestant, round));
      runs.get(contestant)?.push(figures);
    }
  }
  return runs;
}
