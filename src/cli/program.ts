import { Command, CommanderError } from 'commander';
import { describeError, RelayError } from '../core/errors.ts';
import { addCheck } from './check.ts';
import type { AddCommand } from './command.ts';
import { addConfig } from './config.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { addInit } from './init.ts';
import { addParked } from './parked.ts';
import { addRun } from './run.ts';
import { addStatus } from './status.ts';
import { addVerify } from './verify.ts';
import { packageVersion } from './version.ts';

const COMMANDS: readonly AddCommand[] = [addRun, addInit, addCheck, addStatus, addParked, addVerify, addConfig];

const EXIT_CODES = `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed and may work later, ${EXIT.usage} wrong command line, ${EXIT.configuration} somebody has to mend something first.`;

/**
 * Parses the command line and carries the command out.
 *
 * @param args without the interpreter and the script
 * @returns the exit code
 */
export async function runCli(args: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const program = new Command('outbox-relay')
    .description('Relay a Postgres outbox table to Kafka or RabbitMQ.')
    .version(packageVersion())
    .showHelpAfterError('(--help tells what there is)')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
  for (const add of COMMANDS) {
    add(program, (result) => {
      code = result;
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(`${errorText(error)}\n`);
    return exitCodeOf(error);
  }
}

function errorText(error: unknown): string {
  if (!(error instanceof RelayError)) return `outbox-relay: ${describeError(error)}`;
  return `outbox-relay: ${error.code}: ${describeError(error)}\n  ${error.remedy}`;
}
