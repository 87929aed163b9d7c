import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import type { ChaosOptions } from './options.ts';
import { drawRound } from './plan.ts';
import { type ChaosReport, failureLines, replayCommand, roundLine, summaryLine } from './report.ts';
import { playRound, type RoundResult } from './round.ts';
import { type Services, startServices } from './services.ts';

/** Plays all rounds. @returns whether all are good */
export async function runChaos(options: ChaosOptions, print: (line: string) => void): Promise<boolean> {
  let services = await startServices(options.broker, options.pg);
  print(`seed ${options.seed}; Postgres ${services.postgres.primary.version}; ${services.broker.title}`);
  const results: RoundResult[] = [];
  try {
    for (let round = options.fromRound; round < options.fromRound + options.rounds; round++) {
      const result = await playAndTell(services, options, round, print);
      results.push(result);
      if (options.json !== undefined) await writeReport(options.json, reportOf(options, services, results));
      if (result.problems.length === 0) continue;
      if (!options.keepGoing) break;
      await services.dispose();
      services = await startServices(options.broker, options.pg);
    }
  } finally {
    await services.dispose();
  }
  print(summaryLine(results));
  return results.every(({ problems }) => problems.length === 0);
}

async function playAndTell(
  services: Services,
  options: ChaosOptions,
  round: number,
  print: (line: string) => void,
): Promise<RoundResult> {
  const folder = await scratchFolder('chaos');
  try {
    const result = await playRound(services, drawRound(options.seed, round, options.faults), folder);
    print(roundLine(result));
    if (result.problems.length > 0) {
      const kept = join(options.keep, `seed-${options.seed}-${options.broker}-round-${round}`);
      await cp(folder, kept, { recursive: true });
      await writeFile(join(kept, 'round.json'), `${JSON.stringify(result, null, 2)}\n`);
      await writeFile(join(kept, 'postgres.log'), await services.postgres.primary.log());
      for (const line of failureLines(result, options, kept)) print(line);
    }
    return result;
  } finally {
    await removeScratchFolder(folder);
  }
}

function reportOf(options: ChaosOptions, services: Services, rounds: readonly RoundResult[]): ChaosReport {
  return {
    command: replayCommand(options, options.fromRound).replace('--rounds 1', `--rounds ${options.rounds}`),
    postgres: services.postgres.primary.version,
    broker: services.broker.title,
    rounds,
  };
}

async function writeReport(file: string, report: ChaosReport): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}
