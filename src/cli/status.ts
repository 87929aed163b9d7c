import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { liveness, readiness } from '../admin/health.ts';
import { describeError } from '../core/errors.ts';
import type { StatusReport } from '../core/status.ts';
import { addAdminOptions, adminClient, type AdminClient, type AdminOptions } from './admin-client.ts';
import type { Finish } from './command.ts';
import { configOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { secondsText } from './figures.ts';
import { createStyle, type JsonOption, print, printJson } from './output.ts';
import { Screen } from './screen.ts';
import { statusLine, statusLines } from './status-report.ts';

interface Options extends AdminOptions, JsonOption {
  readonly ready: boolean;
  readonly watch: boolean;
  /** In seconds. */
  readonly interval: number;
}

const EXAMPLES = `
Exits with ${EXIT.failed} when the relay does not answer or is stuck; with --ready also unless it publishes or stands by.

Examples:
  outbox-relay status --config relay.yaml
  outbox-relay status --url http://localhost:9464 --watch
  outbox-relay status --url https://relay.example:9464 --ca ca.pem --token-file /run/secrets/admin-token`;

/** `outbox-relay status`: what a running relay does. */
export function addStatus(program: Command, finish: Finish): void {
  const command = program.command('status').description('show what a running relay does').addOption(configOption());
  addAdminOptions(command)
    .option('--ready', 'fail unless the relay publishes or stands by', false)
    .option('-w, --watch', 'again and again, until Ctrl-C: in place on a terminal, else a line each time', false)
    .addOption(new Option('--interval <seconds>', 'how often with --watch').argParser(toSeconds).default(1))
    .option('--json', 'the report as JSON; with --watch one a line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => finish(await status(options)));
}

async function status(options: Options): Promise<number> {
  const relay = await adminClient(options);
  if (options.watch) return watch(relay, options);
  const report = (await relay.get('/status')) as StatusReport;
  if (options.json) printJson(report);
  else print(...statusLines(report, createStyle(process.stdout)));
  return liveness(report).ok && (!options.ready || readiness(report).ok) ? EXIT.ok : EXIT.failed;
}

/** Goes on while the relay does not answer, but for the first time: then the address may be wrong. */
async function watch(relay: AdminClient, { json, interval }: Options): Promise<never> {
  const screen = Screen.fits(process.stdout) ? new Screen(process.stdout) : null;
  let report = (await relay.get('/status')) as StatusReport;
  let reportedAt = Date.now();
  for (let trouble: string | null = null; ;) {
    if (json) {
      if (trouble === null) printJson(report, 0);
    } else if (screen === null)
      print(trouble === null ? statusLine(report) : `${new Date().toISOString()}  ${trouble}`);
    else screen.draw([...lostLines(trouble, reportedAt), ...statusLines(report, createStyle(process.stdout))]);
    await delay(interval * 1000);
    try {
      report = (await relay.get('/status')) as StatusReport;
      reportedAt = Date.now();
      trouble = null;
    } catch (error) {
      trouble = describeError(error);
    }
  }
}

/** Says that what is shown is not the present. */
function lostLines(trouble: string | null, reportedAt: number): readonly string[] {
  if (trouble === null) return [];
  const age = secondsText(Math.round((Date.now() - reportedAt) / 1000));
  return [createStyle(process.stdout).bad(`DISCONNECTED, the figures are ${age} old: ${trouble}`), ''];
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('Expected seconds from 0.1 to 3600.');
  return seconds;
}
