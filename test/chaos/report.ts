import type { ChaosOptions } from './options.ts';
import { FAULT_NAMES } from './faults/index.ts';
import { describeFaults } from './plan.ts';
import type { RoundResult } from './round.ts';

/** What a run came to, as JSON. */
export interface ChaosReport {
  readonly command: string;
  readonly postgres: string;
  readonly broker: string;
  readonly rounds: readonly RoundResult[];
}

/** The command that plays a round again: the same faults at the same times; what they hit depends on the machine. */
export function replayCommand({ seed, broker, pg, faults }: ChaosOptions, round: number): string {
  const only = faults.length === FAULT_NAMES.length ? '' : ` --faults ${faults.join(',')}`;
  const version = pg === undefined ? '' : ` --pg ${pg}`;
  return `npm run chaos -- --seed ${seed} --from-round ${round} --rounds 1 --broker ${broker}${version}${only}`;
}

/** One line for a round. */
export function roundLine({ plan, problems, committed, duplicates, steady, elapsedMs }: RoundResult): string {
  const verdict = problems.length === 0 ? 'ok' : 'FAILED';
  const relays = plan.relays === 1 ? '1 relay' : `${plan.relays} relays`;
  const facts = [
    `${(elapsedMs / 1000).toFixed(0)} s`,
    relays,
    `${committed} events`,
    `${duplicates} duplicates`,
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
  const struck = sum(({ plan }) => plan.faults.length);
  return (
    `${rounds.length} rounds, ${struck} faults, ${sum(({ committed }) => committed)} events, ` +
    `${sum(({ duplicates }) => duplicates)} duplicates, ${failed.length} rounds failed`
  );
}
