import type { Command, Option } from 'commander';
import { ERROR_CATALOGUE } from '../../core/error-catalogue.ts';

/** What the shells' scripts are made of: the commands in the order of `--help`, the program itself first. */
export interface CompletionModel {
  readonly program: string;
  readonly commands: readonly CompletionCommand[];
}

/** A command as it can be completed. */
export interface CompletionCommand {
  /** Its names, from the program on: `parked list`; empty for the program itself. */
  readonly path: string;
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletionOption[];
  /** What its argument may be; empty when it takes none. */
  readonly choices: readonly string[];
}

/** An option as it can be completed. */
export interface CompletionOption {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** What follows it; null: nothing. */
  readonly value: CompletionValue | null;
}

/** `destination`: the names of the configuration that the command line has so far. `text`: nothing to propose. */
export type CompletionValue =
  | { readonly kind: 'choices'; readonly choices: readonly string[] }
  | { readonly kind: 'file' | 'destination' | 'text' };

/** The commands, options and values of a program. Hidden ones are left out. */
export function completionModel(program: Command): CompletionModel {
  return { program: program.name(), commands: commandsOf(program, []) };
}

function commandsOf(command: Command, path: readonly string[]): readonly CompletionCommand[] {
  const help = command.createHelp();
  // `help` itself is completed by no shell's user: --help is shorter
  const subcommands = help.visibleCommands(command).filter((one) => one.name() !== 'help');
  return [
    {
      path: path.join(' '),
      subcommands: subcommands.map((one) => ({ name: one.name(), description: one.description() })),
      options: help.visibleOptions(command).map(optionOf),
      choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    },
    ...subcommands.flatMap((one) => commandsOf(one, [...path, one.name()])),
  ];
}

function optionOf(option: Option): CompletionOption {
  return {
    short: option.short ?? null,
    long: option.long ?? option.flags,
    description: option.description,
    value: option.required || option.optional ? valueOf(option) : null,
  };
}

function valueOf({ argChoices, flags, long }: Option): CompletionValue {
  if (argChoices !== undefined) return { kind: 'choices', choices: argChoices };
  if (flags.includes('<code>')) return { kind: 'choices', choices: Object.keys(ERROR_CATALOGUE) };
  if (flags.includes('<file>')) return { kind: 'file' };
  return { kind: long === '--destination' ? 'destination' : 'text' };
}

/** An option's spellings. */
export function spellings({ short, long }: CompletionOption): readonly string[] {
  return short === null ? [long] : [short, long];
}

/** Every spelling of the options that a value follows, so that it is not taken for a command. */
export function spellingsWithValue({ commands }: CompletionModel): readonly string[] {
  const options = commands.flatMap((command) => command.options).filter(({ value }) => value !== null);
  return [...new Set(options.flatMap(spellings))].sort();
}
