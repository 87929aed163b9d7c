import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { generatedFrom, page } from './markdown.ts';

const WIDTH = 110;

const INTRODUCTION = `What each command of \`outbox-relay\` does and takes, as its \`--help\` prints it.

- Reports go to standard output; errors, questions and progress to standard error. With \`--json\` standard output has JSON and
  nothing else: [json-output.md](json-output.md).
- [exit-codes.md](exit-codes.md) says what a command ends with.
- Every command finds its configuration by \`--config FILE\` or \`OUTBOX_RELAY_CONFIG\`: [options.md](options.md).
- On a terminal, work that takes long shows a bar; elsewhere it prints a plain line every ten seconds. Colours are for terminals:
  \`NO_COLOR=1\` turns them off, \`FORCE_COLOR=1\` on.
- Ctrl-C ends a command with 130. What it was doing in the database is rolled back, or done as a whole. \`run\` drains first.`;

/** `docs/commands.md`. */
export function commandsPage(): string {
  return page(generatedFrom('src/cli'), '# Commands', INTRODUCTION, section(createProgram(() => undefined)));
}

function section(command: Command, path: readonly string[] = []): string {
  const names = [...path, command.name()];
  const subcommands = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
  const heading = `## ${names.join(' ')}`;
  return [
    `${heading}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``,
    ...subcommands.map((one) => section(one, names)),
  ].join('\n\n');
}

/** With what is added behind the options. */
export function helpOf(command: Command): string {
  let text = '';
  command
    .configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => WIDTH, getOutHasColors: () => false })
    .outputHelp();
  return text.trimEnd();
}
