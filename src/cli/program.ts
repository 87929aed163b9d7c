import { Command, CommanderError } from 'commander';
import { describeError, RelayError } from '../core/errors.ts';
import { addCheck } from './check.ts';
import type { AddCommand, Finish } from './command.ts';
import { addCompletion } from './completion.ts';
import { addConfig } from './config.ts';
import { Ending } from './ending.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { addInit } from './init.ts';
import { addMigrate } from './migrate.ts';
import { printJson } from './output.ts';
import { addParked } from './parked.ts';
import { addRun } from './run.ts';
import { addStatus } from './status.ts';
import { addTap } from './tap.ts';
import { addVerify } from './verify.ts';
import { packageVersion } from './version.ts';

const COMMANDS: readonly AddCommand[] = [
  addRun,
  addInit,
  addCheck,
  addStatus,
  addTap,
  addParked,
  addVerify,
  addMigrate,
  addConfig,
  addCompletion,
];

/** Commands that end in order at a signal, by themselves. */
const OWN_SIGNALS: ReadonlySet<string> = new Set(['run']);

const NOTES = `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed and may work later, ${EXIT.usage} wrong command line, ${EXIT.configuration} somebody has to mend something first, ${EXIT.interrupted} interrupted.
Environment: OUTBOX_RELAY_CONFIG (the configuration file), NO_COLOR and FORCE_COLOR.

Examples:
  outbox-relay init --config relay.yaml --url postgres://postgres@localhost/shop --writer-role shop
  outbox-relay check --config relay.yaml
  outbox-relay run --config relay.yaml`;

/** The command line with all its commands. @param finish is told the exit code of the command that ran */
export function createProgram(finish: Finish): Command {
  const program = new Command('outbox-relay')
    .description('Relay a Postgres outbox table to Kafka or RabbitMQ.')
    .version(packageVersion())
    .showHelpAfterError('(--help tells what there is)')
    .addHelpText('after', NOTES)
    .exitOverride();
  for (const add of COMMANDS) add(program, finish);
  return program;
}

/**
 * Parses the command line and carries the command out.
 *
 * @param args without the interpreter and the script
 * @returns the exit code
 */
export async function runCli(args: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  let json = false;
  const ending = new Ending();
  const program = createProgram((result) => {
    code = result;
  }).hook('preAction', (_, command) => {
    json = command.opts<{ json?: boolean }>().json === true;
    if (!OWN_SIGNALS.has(command.name())) ending.listen();
  });
  try {
    return await ending.exitCode(
      await Promise.race([program.parseAsync(args, { from: 'user' }).then(() => code), ending.code]),
    );
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    tell(error, json);
    return exitCodeOf(error);
  } finally {
    ending.dispose();
  }
}

/** On standard error for people; with `--json` on standard output as well, so that a reader of that learns it, too. */
function tell(error: unknown, json: boolean): void {
  const described = describeError(error);
  const { code, remedy } = error instanceof RelayError ? error : { code: null, remedy: null };
  if (json) printJson({ ok: false, error: { code, message: described, remedy } });
  const lines = [`outbox-relay: ${code === null ? '' : `${code}: `}${described}`];
  process.stderr.write([...lines, ...(remedy === null ? [] : [`  ${remedy}`]), ''].join('\n'));
}
