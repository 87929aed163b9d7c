import { EXIT, EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { generatedFrom, page, table } from './markdown.ts';

const INTRODUCTION = `What \`outbox-relay\` ends with, for scripts and supervisors. The numbers are stable: one is never given another meaning.`;

const RESTART = `A supervisor restarts after 1, and not after 2 and 3: nothing changes by itself there. In a systemd unit that is
\`RestartPreventExitStatus=2 3\`. Kubernetes restarts in any case, with growing pauses.`;

const COMMANDS: readonly (readonly string[])[] = [
  [
    '`run`',
    'SIGTERM or SIGINT, and drained',
    'the drain deadline passed; anything unexpected',
    'configuration; a login that is refused or a table that is missing, at the start. A database or broker that is merely away is waited for',
  ],
  [
    '`init`',
    'everything is set up, or `--dry-run` has printed what would be done',
    'the database cannot be reached, or a lock was not to be had in 10 s: nothing has changed',
    'configuration, login, missing rights; the table exists and `--yes` was not given',
  ],
  [
    '`check`',
    'no errors; warnings at most',
    '-',
    'the configuration is invalid, or any finding is an error, a server that cannot be reached included',
  ],
  [
    '`status`',
    'the relay answers and works; with `--ready`, it publishes or stands by',
    'no relay answers, it is stuck, or with `--ready` it cannot publish',
    'configuration (not needed with `--url`)',
  ],
  [
    '`parked`',
    'done, also where no row was chosen',
    'the database cannot be reached; the question was answered with no',
    'configuration, login, missing table; [`delete_blocked`](errors.md#delete_blocked)',
  ],
  [
    '`verify`',
    'nothing is missing or out of order; with `--strict`, nothing duplicated or unexpected',
    'something is, or one of the two ends cannot be read',
    'configuration, login; [`verify_refused`](errors.md#verify_refused)',
  ],
  [
    '`migrate`',
    'nothing stands in the way; the configuration is printed',
    'the database of `--url` cannot be reached',
    'a file cannot be read; something cannot be said here, or applications delete their rows: without `--force` no configuration is printed',
  ],
  ['`config`', 'the configuration is valid', '-', 'it is not, or cannot be read'],
  ['`completion`', 'the script is printed', '-', '-'],
];

/** `docs/exit-codes.md`. */
export function exitCodesPage(): string {
  const codes = Object.entries(EXIT_CODES).map(([name, { meaning, restart }]) => [
    String(EXIT[name as keyof typeof EXIT]),
    meaning,
    restart,
  ]);
  return page(
    generatedFrom('src/cli/exit-codes.ts'),
    '# Exit codes',
    INTRODUCTION,
    table(['Code', 'Meaning', 'Try again?'], codes),
    RESTART,
    '## By command',
    `${EXIT.usage} means the same with all of them: the command line is wrong, and standard error says where.`,
    table(['Command', String(EXIT.ok), String(EXIT.failed), String(EXIT.configuration)], COMMANDS),
  );
}
