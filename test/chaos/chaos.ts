import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import type { ChaosOptions } from './options.ts';
import { drawRound, type RoundPlan } from './plan.ts';
import { drawCommand, failureLines, reportToResume, roundLine, summaryLine, writeReport } from './report.ts';
import { playRound, type RoundResult } from './round.ts';
import { type Services, startServices } from './services.ts';

/** Plays all rounds. @returns whether all are good, those of a report that it goes on with included */
export async function runChaos(options: ChaosOptions, print: (line: string) => void): Promise<boolean> {
  const started = performance.now();
  const results: RoundResult[] = [...((await reportToResume(options))?.rounds ?? [])];
  let services = await startServices(options.broker, options.pg);
  print(`seed ${options.seed}; Postgres ${services.postgres.primary.version}; ${services.broker.title}`);
  if (results.length > 0) print(`goes on behind ${results.length} rounds`);
  const goesOn = (round: number): boolean =>
    round < options.fromRound + options.rounds || performance.now() - started < (options.forMs ?? 0);
  try {
    for (let round = (results.at(-1)?.plan.round ?? options.fromRound - 1) + 1; goesOn(round); round++) {
      const result = await playAndTell(services, options, round, print);
      results.push(result);
      if (options.json !== undefined) {
        const versions = { postgres: services.postgres.primary.version, broker: services.broker.title };
        await writeReport(options.json, { command: drawCommand(options), ...versions, rounds: results });
      }
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

/** A peer is played alone: it has no second instance that could take over. */
function planOf({ seed, faults, peer }: ChaosOptions, round: number): RoundPlan {
  const plan = drawRound(seed, round, faults);
  return peer === undefined ? plan : { ...plan, relays: 1 };
}

async function playAndTell(
  services: Services,
  options: ChaosOptions,
  round: number,
  print: (line: string) => void,
): Promise<RoundResult> {
  const folder = await scratchFolder('chaos');
  try {
    const result = await playRound(services, planOf(options, round), folder, options.peer);
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
