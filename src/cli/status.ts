import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { liveness, readiness } from '../admin/health.ts';
import type { StatusReport } from '../core/status.ts';
import { addAdminOptions, adminClient, type AdminOptions } from './admin-client.ts';
import type { Finish } from './command.ts';
import { configOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { createStyle, type JsonOption, print, printJson } from './output.ts';
import { statusLines } from './status-report.ts';

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
    .option('-w, --watch', 'again and again, until Ctrl-C', false)
    .addOption(new Option('--interval <seconds>', 'how often with --watch').argParser(toSeconds).default(1))
    .option('--json', 'the report as JSON; with --watch one a line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => finish(await status(options)));
}

async function status(options: Options): Promise<number> {
  const relay = await adminClient(options);
  for (;;) {
    const report = (await relay.get('/status')) as StatusReport;
    show(report, options);
    if (options.watch) await delay(options.interval * 1000);
    else return liveness(report).ok && (!options.ready || readiness(report).ok) ? EXIT.ok : EXIT.failed;
  }
}

const CLEAR_SCREEN = '\x1b[H\x1b[2J';

function show(report: StatusReport, options: Options): void {
  if (options.json) {
    printJson(report, options.watch ? 0 : 2);
    return;
  }
  if (options.watch && process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN);
  print(...statusLines(report, readiness(report), createStyle(process.stdout)));
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('Expected seconds from 0.1 to 3600.');
  return seconds;
}
