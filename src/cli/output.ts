import { styleText } from 'node:util';

/** `--json`, where a command reports. */
export interface JsonOption {
  readonly json: boolean;
}

/** What {@link createStyle} knows to set apart. */
export type Style = Readonly<Record<'strong' | 'faint' | 'good' | 'warning' | 'bad', (text: string) => string>>;

const FORMATS = { strong: 'bold', faint: 'dim', good: 'green', warning: 'yellow', bad: 'red' } as const;

/**
 * Colours for a stream: on a terminal that is not dumb, unless `NO_COLOR` is set; `FORCE_COLOR` asks for them anywhere.
 * See no-color.org and force-color.org; where both are set, the first holds, as with the help texts.
 */
export function createStyle(stream: { readonly isTTY?: boolean }, env = process.env): Style {
  const coloured = isColoured(stream.isTTY === true, env);
  const style = (name: keyof typeof FORMATS) => (text: string) =>
    coloured ? styleText(FORMATS[name], text, { validateStream: false }) : text;
  return {
    strong: style('strong'),
    faint: style('faint'),
    good: style('good'),
    warning: style('warning'),
    bad: style('bad'),
  };
}

function isColoured(terminal: boolean, { NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (NO_COLOR || FORCE_COLOR === '0' || FORCE_COLOR === 'false') return false;
  return FORCE_COLOR !== undefined && FORCE_COLOR !== '' ? true : terminal && TERM !== 'dumb';
}

/** Prints lines to standard output. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Prints a value as JSON; integers beyond those of JSON readers (positions) become strings. */
export function printJson(value: unknown, indent = 2): void {
  print(JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner), indent));
}

/** Rows under their headings, in columns as wide as their contents; the last column is left as it is. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines.map((line) =>
    line
      .map((cell, column) => (column === headings.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** Every line of a text set in by so many blanks. */
export function indent(text: string, blanks: number): string {
  const margin = ' '.repeat(blanks);
  return text
    .split('\n')
    .map((line) => `${margin}${line}`)
    .join('\n');
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** What another wrote, with every character escaped that a terminal would take for a command or a new line. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (each) => NAMED_ESCAPES[each] ?? `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
