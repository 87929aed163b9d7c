import { type CompletionCommand, type CompletionModel, type CompletionOption, spellings } from './model.ts';

/** A completion script for zsh, to be put into a folder of `$fpath` as `_outbox-relay`, or to be sourced. */
export function zshScript({ program, commands }: CompletionModel): string {
  return `#compdef ${program}
# zsh completion for ${program}, made by: ${program} completion zsh

_outbox_relay_destinations() {
  local config=\${opt_args[--config]:-\${opt_args[-c]}}
  local -a names
  names=(\${(f)"$(${program} config destinations \${config:+"--config=$config"} 2>/dev/null)"})
  compadd -a names
}

${commands.map(commandFunction).join('\n\n')}

# autoloaded from $fpath it completes; sourced it makes itself known
if [[ "\${funcstack[1]}" == _${program} ]]; then
  ${functionName('')} "$@"
else
  compdef ${functionName('')} ${program}
fi
`;
}

function functionName(path: string): string {
  return `_outbox_relay${path === '' ? '' : `_${path.replaceAll(/[ -]/g, '_')}`}`;
}

function commandFunction(command: CompletionCommand): string {
  const { path, subcommands, choices } = command;
  const specs = command.options.map((option) => `    ${optionSpec(option)}`);
  const words = choices.length > 0 ? [`    ':value:(${choices.join(' ')})'`] : [];
  if (subcommands.length === 0)
    return `${functionName(path)}() {
  local curcontext="$curcontext"
  typeset -A opt_args
  _arguments -s ${['\\', ...[...specs, ...words].map((spec, at, all) => (at < all.length - 1 ? `${spec} \\` : spec))].join('\n')}
}`;
  const described = subcommands.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}`);
  return `${functionName(path)}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands=(
${described.join('\n')}
  )
  _arguments -C -s \\
${specs.map((spec) => `${spec} \\`).join('\n')}
    '1: :->command' '*:: :->arguments'
  case $state in
    command) _describe -t commands command commands ;;
    arguments)
      case $line[1] in
${subcommands.map(({ name }) => `        ${name}) ${functionName(`${path} ${name}`.trim())} ;;`).join('\n')}
      esac ;;
  esac
}`;
}

/** As `_arguments` wants it: `'(-c --config)'{-c,--config}'[text]:file:_files'`. */
function optionSpec(option: CompletionOption): string {
  const names = spellings(option);
  const text = `[${option.description.replaceAll(/[[\]\\]/g, '\\$&')}]`;
  const rest = quoted(`${text}${valueSpec(option)}`);
  // any may stand again: what is given twice, the last one wins
  return names.length === 1 ? `'*'${names.join('')}${rest}` : `'*'{${names.join(',')}}${rest}`;
}

function valueSpec({ value }: CompletionOption): string {
  switch (value?.kind) {
    case undefined:
      return '';
    case 'choices':
      return `:value:(${value.choices.join(' ')})`;
    case 'file':
      return ':file:_files';
    case 'destination':
      return ':destination:_outbox_relay_destinations';
    case 'text':
      return ':value: ';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
