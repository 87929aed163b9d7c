import type { Verdict } from './accounting.ts';

/** How the demo ended. */
export interface DemoResult extends Verdict {
  /** Rows still in the outbox table: what is published is deleted. */
  readonly left: number;
  /** Of the relay; null: it was ended by a signal. */
  readonly relayExitCode: number | null;
}

const EXAMPLES = 5;

/** The accounting in words: one line, and one more for each thing that is wrong. */
export function reportLines(result: DemoResult): readonly string[] {
  const { inserted, published, missing, outOfOrder, phantom, repeated, rolledBack, latencyMs } = result;
  const lag = latencyMs === null ? '' : `; lag p50 ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)} ms`;
  const summary = [
    `${published} of ${inserted} inserted rows arrived`,
    `${missing.length} missing`,
    `${outOfOrder.length} out of order`,
    `${repeated} repeated`,
    `${rolledBack} rolled back and ${phantom.length} of those published`,
  ].join(', ');
  const problems = [
    ...examples('missing', missing),
    ...examples('out of order', outOfOrder),
    ...examples('rolled back or unknown, and yet published', phantom),
    ...(result.left === 0 ? [] : [`${result.left} rows are still in the outbox table`]),
    ...(result.relayExitCode === 0 ? [] : [`the relay ended with ${result.relayExitCode ?? 'a signal'} instead of 0`]),
  ];
  return [`${result.ok ? 'Accounted for' : 'FAILED'}: ${summary}${lag}`, ...problems.map((problem) => `  ${problem}`)];
}

function examples(what: string, ids: readonly string[]): string[] {
  if (ids.length === 0) return [];
  const more = ids.length > EXAMPLES ? ' ...' : '';
  return [`${what}: ${ids.slice(0, EXAMPLES).join(' ')}${more}`];
}
