import { RelayError } from '../core/errors.ts';

/** The exit codes of every command. Stable: scripts and units go by them. */
export const EXIT = {
  ok: 0,
  /** Something failed that may work later: a server or broker that cannot be reached. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Somebody has to mend something first: configuration, login, missing table. */
  configuration: 3,
  /** A second signal ended the process before it had drained. */
  interrupted: 130,
} as const;

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof RelayError)) return EXIT.failed;
  return error.class === 'configuration' || error.code === 'config_invalid' ? EXIT.configuration : EXIT.failed;
}
