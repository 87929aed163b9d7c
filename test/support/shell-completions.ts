import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const LONGEST_MS = 60_000;

/** Whether a shell is there. In CI each of them has to be. */
export function isThere(shell: Shell): boolean {
  return process.env.CI === 'true' || spawnSync(shell, ['-c', 'true']).status === 0;
}

/**
 * What a real shell proposes for each command line at its end, sorted.
 *
 * @param script the completion script
 * @param folder where commands are run
 */
export async function completions(
  shell: Shell,
  script: string,
  lines: readonly string[],
  folder: string,
): Promise<readonly (readonly string[])[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'outbox-relay-completion-'));
  const file = join(scratch, 'script');
  try {
    await writeFile(file, script);
    await writeFile(
      join(scratch, 'outbox-relay'),
      `#!/bin/sh\nexec node --import ${import.meta.resolve('tsx')} ${MAIN} "$@"\n`,
      { mode: 0o755 },
    );
    const ask = async (line: string): Promise<readonly string[]> => {
      const [command, ...args] = await COMMANDS[shell](file, line, scratch);
      const { stdout } = await run(command, args, {
        cwd: folder,
        env: { ...process.env, PATH: `${scratch}:${process.env.PATH ?? ''}`, HOME: scratch, TERM: 'xterm' },
        timeout: LONGEST_MS,
      });
      return [...new Set(PARSERS[shell](stdout))].sort();
    };
    const found: (readonly string[])[] = [];
    for (const line of lines) found.push(await ask(line));
    return found;
  } finally {
    await rm(scratch, { recursive: true });
  }
}

type MakeCommand = (script: string, line: string, scratch: string) => Promise<[string, ...string[]]>;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** As readline calls the function: with the words split, `=` being a word of its own. */
const bash: MakeCommand = (script, line) => {
  const words = line.replaceAll('=', ' = ').split(/ +/);
  const source = `source ${quoted(script)}
COMP_WORDS=(${words.map(quoted).join(' ')}); COMP_CWORD=${words.length - 1}
_outbox_relay
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return Promise.resolve(['bash', '--norc', '-c', source]);
};

const fish: MakeCommand = (script, line) =>
  Promise.resolve(['fish', '-N', '-c', `source ${quoted(script)}; complete -C ${quoted(line)}`]);

/** zsh completes on a terminal only: in one of its own, in which what is proposed is printed as well. */
const zsh: MakeCommand = async (script, line, scratch) => {
  const setup = join(scratch, 'setup.zsh');
  await writeFile(
    setup,
    `PROMPT=
autoload -Uz compinit; compinit -u -D
source ${quoted(script)}
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
finish() { print -r -- '<<do''ne>>' }
comppostfuncs=(finish)
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  [[ \${#hits} -gt 0 ]] && print -rl -- '' "\${(@)hits/#/hit:}"
  builtin compadd "$@"
}
print '<<rea''dy>>'
`,
  );
  const source = `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell ${quoted(`source ${setup}`)}
zpty -r -m shell answer '*<<ready>>*'
zpty -w -n shell ${quoted(line)}$'\\t'
zpty -r -m shell answer '*<<done>>*'
print -r -- "$answer"
zpty -d shell`;
  return ['zsh', '-f', '-c', source];
};

const COMMANDS: Readonly<Record<Shell, MakeCommand>> = { bash, zsh, fish };

const PARSERS: Readonly<Record<Shell, (output: string) => readonly string[]>> = {
  bash: (output) => output.split('\n').filter(Boolean),
  zsh: (output) => [...output.matchAll(/^hit:(.*?)\r?$/gm)].map((match) => match[1] ?? ''),
  fish: (output) =>
    output
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t', 1)[0] ?? ''),
};
