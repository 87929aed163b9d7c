import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';

/** Tells the exit code of a command that has come to its end. */
export type Finish = (code: number) => void;

/** Adds a command to the program. Modules that take time to load are loaded by the command's action. */
export type AddCommand = (program: Command, finish: Finish) => void;

/** Ends a command because its options do not fit together: exit code {@link EXIT.usage}. */
export function usageError(command: Command, message: string): never {
  return command.error(`error: ${message}`, { exitCode: EXIT.usage });
}
