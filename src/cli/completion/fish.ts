import { type CompletionCommand, type CompletionModel, type CompletionOption, spellingsWithValue } from './model.ts';

/** A completion script for fish 3.0 and later. */
export function fishScript(model: CompletionModel): string {
  const { program, commands } = model;
  const paths = commands.map(({ path }) => path).filter((path) => path !== '');
  return `# fish completion for ${program}, made by: ${program} completion fish

# Whether the command that stands before the cursor is the one given.
function __outbox_relay_is
    set -l command
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case ${spellingsWithValue(model).join(' ')}
                set skip 1
            case '-*'
            case '*'
                set -l longer (string join ' ' -- $command $word)
                if contains -- "$longer" ${paths.map(quoted).join(' ')}
                    set command "$longer"
                end
        end
    end
    test "$command" = "$argv[1]"
end

function __outbox_relay_destinations
    set -l words (commandline -opc)
    set -l config
    for at in (seq 2 (math (count $words) - 1))
        contains -- $words[$at] -c --config; and set config --config $words[(math $at + 1)]
    end
    $words[1] config destinations $config 2>/dev/null
end

complete -c ${program} -f
${commands.flatMap((command) => commandLines(program, command)).join('\n')}
`;
}

function commandLines(program: string, command: CompletionCommand): readonly string[] {
  const begin = `complete -c ${program} -n ${quoted(`__outbox_relay_is "${command.path}"`)}`;
  return [
    ...command.subcommands.map(({ name, description }) => `${begin} -a ${name} -d ${quoted(description)}`),
    ...(command.choices.length === 0 ? [] : [`${begin} -a ${quoted(command.choices.join(' '))}`]),
    ...command.options.map((option) => `${begin} ${optionArguments(option)}`),
  ];
}

function optionArguments(option: CompletionOption): string {
  const { short, long, description, value } = option;
  const names = `${short === null ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  return `${names} -d ${quoted(description)}${value === null ? '' : valueArguments(value)}`;
}

function valueArguments(value: NonNullable<CompletionOption['value']>): string {
  switch (value.kind) {
    case 'choices':
      return ` -x -a ${quoted(value.choices.join(' '))}`;
    case 'file':
      return ' -r -F';
    case 'destination':
      return " -x -a '(__outbox_relay_destinations)'";
    case 'text':
      return ' -x';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
