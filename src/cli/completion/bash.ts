import {
  type CompletionCommand,
  type CompletionModel,
  type CompletionOption,
  spellings,
  spellingsWithValue,
} from './model.ts';

/** A completion script for bash 3.2 and later: that of macOS has neither `mapfile` nor `compopt`. */
export function bashScript(model: CompletionModel): string {
  const { program, commands } = model;
  const paths = commands.map(({ path }) => path).filter((path) => path !== '');
  return `# bash completion for ${program}, made by: ${program} completion bash
_outbox_relay() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' config='' words='' skip='' word i IFS=$'\\n'
  # bash takes --option=value for three words
  if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then continue; fi
    if [[ $skip == config ]]; then config=$word; fi
    if [[ -n $skip ]]; then skip=''; continue; fi
    case $word in
      -c|--config) skip=config ;;
      ${alternatives(spellingsWithValue(model).filter((name) => name !== '-c' && name !== '--config'))}) skip=value ;;
      -*) ;;
      *) case "\${command:+$command }$word" in
        ${alternatives(paths)}) command="\${command:+$command }$word" ;;
      esac ;;
    esac
  done
  case "$command $prev" in
${commands.flatMap(valueCases).join('\n')}
  esac
  case $command in
${commands.map(wordsCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _outbox_relay ${program}
`;
}

const quote = (text: string): string => `'${text}'`;
const alternatives = (words: readonly string[]): string => words.map(quote).join('|');
const lines = (words: readonly string[]): string => `$'${words.join('\\n')}'`;

function valueCases({ path, options }: CompletionCommand): readonly string[] {
  return options
    .filter(({ value }) => value !== null)
    .map((option) => {
      const patterns = alternatives(spellings(option).map((name) => `${path} ${name}`));
      return `    ${patterns}) ${reply(option)}; return ;;`;
    });
}

function reply({ value }: CompletionOption): string {
  switch (value?.kind) {
    case 'choices':
      return `COMPREPLY=($(compgen -W ${lines(value.choices)} -- "$cur"))`;
    case 'file':
      return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))';
    case 'destination':
      return 'COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" config destinations ${config:+"--config=$config"} 2>/dev/null)" -- "$cur"))';
    default:
      return 'COMPREPLY=()';
  }
}

/** Options where one is begun, or where there is nothing else. */
function wordsCase({ path, subcommands, options, choices }: CompletionCommand): string {
  const words = [...subcommands.map(({ name }) => name), ...choices];
  const names = lines(options.flatMap(spellings));
  if (words.length === 0) return `    '${path}') words=${names} ;;`;
  return `    '${path}') if [[ $cur == -* ]]; then words=${names}; else words=${lines(words)}; fi ;;`;
}
