import { Command, CommanderError } from 'commander';
import { describeError, RelayError } from '../core/errors.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { runCommand } from './run.ts';
import { packageVersion } from './version.ts';

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
    .showHelpAfterError()
    .exitOverride();
  const finish = (result: number): void => {
    code = result;
  };
  for (const command of [runCommand]) program.addCommand(command(finish).copyInheritedSettings(program));
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
