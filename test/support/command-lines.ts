import { CommanderError, type Command } from 'commander';
import { readText } from '../../scripts/docs/pages.ts';
import { createProgram } from '../../src/cli/program.ts';

/** A call of `outbox-relay` that a page shows. */
export interface CommandLine {
  /** The page and the line. */
  readonly place: string;
  readonly words: readonly string[];
}

/** What may stand before the program's name: a prompt, variables, another program that runs it, a unit's key. */
const CALL =
  /(?:^|[|;&(]|--)\s*(?:- )?(?:\$ )?(?:ExecStart=)?(?:[A-Z_]+=\S* )*(?:sudo(?: -u \S+)? |exec |source <\()?(?:[\w./-]*\/)?outbox-relay(?= )([^|;&>)]*)/g;

/** In running text, where there is an option: without one it may be a name that stands in Postgres. */
const INLINE = /`(outbox-relay [^`]*-[^`]*)`/g;

/**
 * All calls of `outbox-relay` in code of a page: fenced, set in by four blanks, or within a line. A call goes on over lines that end in a
 * backslash; brackets around what may be left out, and comments, are no part of it.
 */
export function commandLinesOf(page: string): readonly CommandLine[] {
  const found: CommandLine[] = [];
  let fenced = false;
  let begun = '';
  for (const [index, line] of readText(page).split('\n').entries()) {
    if (/^ *```/.test(line)) fenced = !fenced;
    else if (fenced || line.startsWith('    ')) {
      const whole = `${begun}${line.trim()}`;
      begun = whole.endsWith('\\') ? `${whole.slice(0, -1).trimEnd()} ` : '';
      if (begun === '') found.push(...callsIn(whole).map((words) => ({ place: `${page}:${index + 1}`, words })));
    } else {
      const inline = [...line.matchAll(INLINE)].flatMap((match) => callsIn(match[1] ?? ''));
      found.push(...inline.map((words) => ({ place: `${page}:${index + 1}`, words })));
    }
  }
  return found;
}

/** The arguments of each call in a line of a shell. */
export function callsIn(line: string): readonly (readonly string[])[] {
  const command = line.replace(/(^|\s)#\s.*$/, '').replaceAll(/[[\]]/g, '');
  return [...command.matchAll(CALL)].map((match) => splitWords(match[1] ?? ''));
}

function splitWords(text: string): readonly string[] {
  const words = [...text.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replaceAll(/['"]/g, ''));
  return words.filter((word) => word !== '\\');
}

/** What the command line says to a call, without carrying it out; null when it takes it. */
export async function faultOf(words: readonly string[]): Promise<string | null> {
  const program = createProgram(() => undefined);
  silence(program);
  try {
    await program.parseAsync(words, { from: 'user' });
    return null;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? null : error.message;
  }
}

/** What a reader has to fill in: `--key K`. */
const PLACEHOLDER = /^[A-Z]+$/;

function silence(command: Command): void {
  for (const option of command.options) {
    const { parseArg } = option;
    if (parseArg === undefined) continue;
    option.argParser<unknown>((value, previous) => (PLACEHOLDER.test(value) ? value : parseArg(value, previous)));
  }
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined }).exitOverride();
  if (command.commands.length === 0) command.action(() => undefined);
  command.commands.forEach(silence);
}
