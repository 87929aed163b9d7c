import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../support/services/child-process.ts';
import { faultsFor } from './faults/index.ts';
import type { ChaosOptions } from './options.ts';
import { describeFaults } from './plan.ts';
import type { RoundResult } from './round.ts';

/** What a run came to, as JSON. */
export interface ChaosReport {
  /** What the rounds are drawn from. */
  readonly command: string;
  readonly postgres: string;
  readonly broker: string;
  readonly rounds: readonly RoundResult[];
}

/** The command that draws the same rounds, without which of them. */
export function drawCommand({ seed, broker, peer, pg, faults }: ChaosOptions): string {
  const only = faults.length === faultsFor(broker, peer !== undefined).length ? '' : ` --faults ${faults.join(',')}`;
  const version = pg === undefined ? '' : ` --pg ${pg}`;
  const other = peer === undefined ? '' : ` --peer ${peer}`;
  return `npm run chaos -- --seed ${seed} --broker ${broker}${other}${version}${only}`;
}

/** The command that plays a round again: the same faults at the same times; what they hit depends on the machine. */
export function replayCommand(options: ChaosOptions, round: number): string {
  return `${drawCommand(options)} --from-round ${round} --rounds 1`;
}

/**
 * The report that a run goes on with; undefined when it has none yet.
 *
 * @throws when that report is of rounds that are drawn otherwise
 */
export async function reportToResume(options: ChaosOptions): Promise<ChaosReport | undefined> {
  if (!options.resume || options.json === undefined) return undefined;
  const text = await readFile(options.json, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const report = JSON.parse(text) as ChaosReport;
  if (report.command !== drawCommand(options)) throw new Error(`${options.json} is of: ${report.command}`);
  return report;
}

/** Writes a report as a whole, so that one that is interrupted leaves the one before. */
export async function writeReport(file: string, report: ChaosReport): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(report, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** One line for a round. */
export function roundLine(result: RoundResult): string {
  const { plan, problems, committed, duplicates, lost, takenBack, restarts, rescues, steady, elapsedMs } = result;
  const verdict = problems.length === 0 ? 'ok' : 'FAILED';
  const relays = plan.relays === 1 ? '1 relay' : `${plan.relays} relays`;
  const facts = [
    `${(elapsedMs / 1000).toFixed(0)} s`,
    relays,
    `${committed} events`,
    `${duplicates} duplicates`,
    ...(lost + takenBack > 0 ? [`${lost} taken back by failovers, ${takenBack} of the published`] : []),
    ...(restarts > 0 ? [`ended by itself ${restarts} times`] : []),
    ...(rescues > 0 ? [`got stuck and was started anew ${rescues} times`] : []),
    ...(steady ? [] : ['streaming was interrupted while quiet']),
  ];
  return `round ${plan.round}: ${verdict}; ${facts.join(', ')}; ${describeFaults(plan)}`;
}

/** What is to be known of a failing round. */
export function failureLines(result: RoundResult, options: ChaosOptions, folder: string): string[] {
  return [
    ...result.problems.map((problem) => `  ${problem}`),
    '  timeline:',
    ...result.timeline.map((entry) => `    ${entry}`),
    `  logs of the relays: ${folder}`,
    `  again: ${replayCommand(options, result.plan.round)}`,
  ];
}

/** The sums of a run. */
export function summaryLine(rounds: readonly RoundResult[]): string {
  const failed = rounds.filter(({ problems }) => problems.length > 0);
  const sum = (of: (round: RoundResult) => number): number => rounds.reduce((total, round) => total + of(round), 0);
  const facts = [
    `${rounds.length} rounds`,
    `${sum(({ plan }) => plan.faults.length)} faults`,
    `${sum(({ committed }) => committed)} events`,
    `${sum(({ duplicates }) => duplicates)} duplicates`,
    `${sum(({ lost }) => lost)} events lost by failovers`,
    `${sum(({ takenBack }) => takenBack)} published and then taken back`,
    `${failed.length} rounds failed`,
  ];
  return facts.join(', ');
}
