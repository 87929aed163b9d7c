import { stripVTControlCharacters } from 'node:util';

/** What a {@link Screen} draws on. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const CLEAR_ALL = '\x1b[2J';

/** Redraws lines in place: over what was there, so that nothing flickers; what does not fit is cut off. */
export class Screen {
  readonly #terminal: Terminal;
  #used = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Whether lines can be drawn in place at all: else they are to be printed one after the other. */
  static fits(terminal: Terminal): boolean {
    return terminal.isTTY === true && process.env.TERM !== 'dumb';
  }

  draw(lines: readonly string[]): void {
    const { rows = 24, columns = 80 } = this.#terminal;
    const cut =
      lines.length < rows ? lines : [...lines.slice(0, rows - 2), `... ${lines.length - rows + 2} lines more`];
    const drawn = cut.map((line) => `${fitted(line, columns)}${CLEAR_LINE}\n`).join('');
    this.#terminal.write(`${this.#used ? '' : CLEAR_ALL}${HOME}${drawn}${CLEAR_BELOW}`);
    this.#used = true;
  }
}

/** A line that does not wrap, for that would move those below. Colours are given up where something is cut off. */
function fitted(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`;
}
