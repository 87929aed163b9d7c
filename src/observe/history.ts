/** One look at the relay, as the last hour is told. Null: not known then. */
export interface HistoryPoint {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Age of the oldest unpublished row, in seconds. */
  readonly lagSeconds: number | null;
  readonly waitingRows: number | null;
  /** Log that the slot retains, in bytes; null also while there is no slot. */
  readonly retainedBytes: number | null;
  /** Rows published a second since the look before, by destination. */
  readonly rowsPerSecond: Readonly<Record<string, number>>;
}

/** What a look found; rates are made of `published`. */
export interface HistoryLook extends Omit<HistoryPoint, 'at' | 'rowsPerSecond'> {
  /** Rows published since the process began, by destination. */
  readonly published: ReadonlyMap<string, number>;
}

interface Counted {
  readonly at: number;
  readonly published: ReadonlyMap<string, number>;
}

const KEPT_MS = 3_600_000;
/** An hour of looks five seconds apart. */
const KEPT_POINTS = 720;
/** A rate is told over at least that long. */
const RATE_MS = 10_000;
const MIN_RATE_MS = 1_000;

/** The last hour in memory, bounded: one point for each look at the lag. */
export class History {
  readonly #now: () => number;
  readonly #points: HistoryPoint[] = [];
  /** Counts of the looks of the last {@link RATE_MS}, and of the one before. */
  #counted: Counted[] = [];

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  add({ published, ...look }: HistoryLook): void {
    const at = this.#now();
    const last = this.#counted.at(-1);
    const rates = [...published].map(([name, rows]) => [name, rateOf(last, name, rows, at)] as const);
    const known = rates.filter((each): each is readonly [string, number] => each[1] !== null);
    this.#points.push({ at, ...look, rowsPerSecond: Object.fromEntries(known) });
    while (this.#points.length > KEPT_POINTS || (this.#points[0]?.at ?? at) < at - KEPT_MS) this.#points.shift();
    const firstRecent = this.#counted.findIndex((counted) => counted.at > at - RATE_MS);
    if (firstRecent > 1) this.#counted.splice(0, firstRecent - 1);
    else if (firstRecent < 0) this.#counted.splice(0, this.#counted.length - 1);
    this.#counted.push({ at, published: new Map(published) });
  }

  /** The points after a time, the oldest first. @param after milliseconds since 1970 */
  since(after: number): readonly HistoryPoint[] {
    return this.#points.filter(({ at }) => at > after);
  }

  /** Rows a second over the last ten seconds or so; null when that is not known yet. @param rows published so far */
  rate(destination: string, rows: number): number | null {
    const now = this.#now();
    const old = this.#counted.findLast(({ at }) => at <= now - RATE_MS) ?? this.#counted[0];
    return rateOf(old, destination, rows, now);
  }
}

function rateOf(from: Counted | undefined, destination: string, rows: number, at: number): number | null {
  if (from === undefined || at - from.at < MIN_RATE_MS) return null;
  return Math.max(0, rows - (from.published.get(destination) ?? 0)) / ((at - from.at) / 1000);
}
