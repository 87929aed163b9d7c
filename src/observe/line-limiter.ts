/** Lines of one kind that are let through in one interval. */
const BURST = 10;
const INTERVAL_MS = 60_000;

interface Window {
  begun: number;
  lines: number;
  suppressed: number;
}

/** Keeps what happens for every row, or with every retry, from flooding the log: some lines of a kind a minute. */
export class LineLimiter {
  readonly #windows = new Map<string, Window>();
  readonly #now: () => number;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Asks for a line. The kinds must be of a bounded number: say an error code and a destination.
   *
   * @returns null: no line; else how many of its kind were left out before it
   */
  admit(kind: string): number | null {
    const now = this.#now();
    const window = this.#windows.get(kind);
    if (window === undefined || now - window.begun >= INTERVAL_MS) {
      this.#windows.set(kind, { begun: now, lines: 1, suppressed: 0 });
      return window?.suppressed ?? 0;
    }
    if (window.lines < BURST) {
      window.lines++;
      return 0;
    }
    window.suppressed++;
    return null;
  }
}
