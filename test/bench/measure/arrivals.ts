import { insertedAt, numberOf } from '../rows.ts';

/** What came of a run's rows at the broker, row by row. */
export class Arrivals {
  readonly rows: number;
  /** By number - 1: how often it came. */
  readonly #counts: Uint16Array;
  /** When it first came; NaN where that is not known. */
  readonly #firstAt: Float64Array;
  readonly #insertedAt: Float64Array;
  #duplicates = 0;
  #strangers = 0;
  #distinct = 0;

  constructor(rows: number) {
    this.rows = rows;
    this.#counts = new Uint16Array(rows);
    this.#firstAt = new Float64Array(rows).fill(Number.NaN);
    this.#insertedAt = new Float64Array(rows).fill(Number.NaN);
  }

  /** @param atMs when it came, milliseconds since 1970; NaN when that is not known */
  add(id: string, payload: Buffer | null, atMs: number): void {
    const at = numberOf(id) - 1;
    const before = this.#counts[at];
    if (before === undefined || payload === null) {
      this.#strangers++;
      return;
    }
    this.#counts[at] = before + 1;
    if (before > 0) {
      this.#duplicates++;
      // Partitions are read one after the other; a row lies in one only, so the first is the earliest.
      return;
    }
    this.#distinct++;
    this.#firstAt[at] = atMs;
    this.#insertedAt[at] = insertedAt(payload);
  }

  /** A message without an id: it stands for any row. @param atMs as above */
  addAnonymous(atMs: number): void {
    if (this.#distinct === this.rows) {
      this.#strangers++;
      return;
    }
    this.#firstAt[this.#distinct] = atMs;
    this.#counts[this.#distinct++] = 1;
  }

  get duplicates(): number {
    return this.#duplicates;
  }

  /** @throws when a row is missing, or something came that nobody wrote */
  verify(): void {
    const missing = this.rows - this.#distinct;
    if (missing > 0 || this.#strangers > 0)
      throw new Error(
        `of ${this.rows} rows ${missing} are missing at the broker, and ${this.#strangers} are strangers`,
      );
  }

  /** When rows first came, in order; empty where that is not known. */
  times(): Float64Array {
    return this.#firstAt.filter((at) => !Number.isNaN(at)).sort();
  }

  /** From insert to arrival in milliseconds, in order, of rows that were inserted later than `warmUpMs` after the first. */
  latencies(warmUpMs: number): Float64Array {
    const from = this.#insertedAt.reduce((first, at) => (at < first ? at : first), Infinity) + warmUpMs;
    return this.#firstAt
      .map((at, row) => ((this.#insertedAt[row] ?? 0) < from ? Number.NaN : at - (this.#insertedAt[row] ?? 0)))
      .filter((latency) => !Number.isNaN(latency))
      .sort();
  }
}
