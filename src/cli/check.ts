import type { Command } from 'commander';
import type { CheckSection } from '../app/check.ts';
import type { Finding } from '../core/finding.ts';
import type { Finish } from './command.ts';
import { configOf, configOption, type ConfigOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { createStyle, indent, type JsonOption, print, printJson, type Style } from './output.ts';

/** For all destinations together. */
const TIMEOUT_MS = 30_000;

const EXAMPLES = `
Exits with ${EXIT.configuration} when there is an error, with ${EXIT.ok} when there are warnings at most.

Examples:
  outbox-relay check --config relay.yaml
  outbox-relay check --config relay.yaml --json | jq '.findings[] | select(.status == "error").remedy'`;

/** `outbox-relay check`: configuration, database and brokers, each fault with what mends it. */
export function addCheck(program: Command, finish: Finish): void {
  program
    .command('check')
    .description('examine configuration, database and brokers, and tell what mends each fault; changes nothing')
    .addOption(configOption())
    .option('--json', 'report as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: ConfigOption & JsonOption) => finish(await check(options)));
}

async function check(options: ConfigOption & JsonOption): Promise<number> {
  const config = await configOf(options);
  const { checkAll } = await import('../app/check.ts');
  const sections = await checkAll(config, AbortSignal.timeout(TIMEOUT_MS));
  const findings = sections.flatMap(({ title, findings: found }) => found.map((one) => ({ section: title, ...one })));
  const ok = findings.every(({ status }) => status !== 'error');
  if (options.json) printJson({ ok, findings });
  else print(...report(sections, createStyle(process.stdout)));
  return ok ? EXIT.ok : EXIT.configuration;
}

const MARKS = { ok: 'good', warning: 'warning', error: 'bad' } as const satisfies Record<
  Finding['status'],
  keyof Style
>;
const STATUS_WIDTH = 'warning'.length;

function report(sections: readonly CheckSection[], style: Style): readonly string[] {
  const all = sections.flatMap(({ findings }) => findings);
  const width = Math.max(...all.map(({ subject }) => subject.length));
  const count = (status: Finding['status']): number => all.filter((finding) => finding.status === status).length;
  return [
    ...sections.flatMap(({ title, findings }) => [
      style.strong(title),
      ...findings.flatMap((finding) => findingLines(finding, width, style)),
      '',
    ]),
    `${counted(count('error'), 'error')}, ${counted(count('warning'), 'warning')}, ${count('ok')} in order`,
  ];
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The remedy on lines of its own, so that it can be copied. */
function findingLines({ status, subject, message, remedy }: Finding, width: number, style: Style): readonly string[] {
  const mark = style[MARKS[status]](status.padEnd(STATUS_WIDTH));
  const lines = [`  ${mark}  ${subject.padEnd(width)}  ${message}`];
  return remedy === undefined ? lines : [...lines, style.strong(indent(remedy, STATUS_WIDTH + 4))];
}
