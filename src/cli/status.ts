import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { liveness, readiness } from '../admin/health.ts';
import { RelayError } from '../core/errors.ts';
import type { StatusReport } from '../core/status.ts';
import type { Finish } from './command.ts';
import { configOf, configOption, type ConfigOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { createStyle, type JsonOption, print, printJson } from './output.ts';
import { statusLines } from './status-report.ts';

interface Options extends ConfigOption, JsonOption {
  readonly url?: string;
  readonly ready: boolean;
  readonly watch: boolean;
  /** In seconds. */
  readonly interval: number;
}

const TIMEOUT_MS = 5_000;

const EXAMPLES = `
Exits with ${EXIT.failed} when the relay does not answer or is stuck; with --ready also unless it publishes or stands by.

Examples:
  outbox-relay status --config relay.yaml
  outbox-relay status --url http://localhost:9464 --watch`;

/** `outbox-relay status`: what a running relay does. */
export function addStatus(program: Command, finish: Finish): void {
  program
    .command('status')
    .description('show what a running relay does')
    .addOption(configOption())
    .option('--url <url>', 'where the relay answers (default: by admin.host and admin.port of the configuration)')
    .option('--ready', 'fail unless the relay publishes or stands by', false)
    .option('-w, --watch', 'again and again, until Ctrl-C', false)
    .addOption(new Option('--interval <seconds>', 'how often with --watch').argParser(toSeconds).default(1))
    .option('--json', 'the report as JSON; with --watch one a line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => finish(await status(options)));
}

async function status(options: Options): Promise<number> {
  const url = new URL('/status', options.url ?? (await adminUrl(options)));
  for (;;) {
    const report = await ask(url);
    show(report, options);
    if (options.watch) await delay(options.interval * 1000);
    else return liveness(report).ok && (!options.ready || readiness(report).ok) ? EXIT.ok : EXIT.failed;
  }
}

async function adminUrl(options: Options): Promise<string> {
  const { host, port } = (await configOf(options)).admin;
  if (port === 0)
    throw new RelayError('config_invalid', 'admin.port is 0, so that it is not known where the relay listens', {
      remedy: 'Name the address that its log tells: outbox-relay status --url http://127.0.0.1:PORT',
    });
  const local = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${local.includes(':') ? `[${local}]` : local}:${port}`;
}

/** @throws an error whose message says where nobody answered */
async function ask(url: URL): Promise<StatusReport> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
    return (await answer.json()) as StatusReport;
  } catch (error) {
    throw new Error(`no relay answers at ${url.origin}`, { cause: error });
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
