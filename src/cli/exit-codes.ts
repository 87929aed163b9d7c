import { RelayError } from '../core/errors.ts';

/** The exit codes of every command. Stable: scripts and units go by them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, configuration: 3, interrupted: 130 } as const;

/** What an exit code means, for `docs/exit-codes.md`. */
export interface ExitCode {
  readonly meaning: string;
  /** Whether the same command may come to another end by itself. */
  readonly restart: string;
}

export const EXIT_CODES: Readonly<Record<keyof typeof EXIT, ExitCode>> = {
  ok: { meaning: 'Done; of `run`, stopped and drained.', restart: '-' },
  failed: {
    meaning:
      'Something failed that may work later, such as a server that cannot be reached; or what was looked at is not as it should be (`status`, `verify`).',
    restart: 'yes',
  },
  usage: { meaning: 'The command line is wrong.', restart: 'no' },
  configuration: {
    meaning: 'Somebody has to mend something first: configuration, login, privilege, missing table.',
    restart: 'no use before that',
  },
  interrupted: {
    meaning: 'Ended by Ctrl-C; of `run`, by a second signal before it had drained.',
    restart: '-',
  },
};

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof RelayError)) return EXIT.failed;
  return error.class === 'configuration' || error.code === 'config_invalid' ? EXIT.configuration : EXIT.failed;
}
