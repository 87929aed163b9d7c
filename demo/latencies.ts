/** How long it took, over the whole run and over the last while. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Milliseconds that a step of the histogram covers: a tenth, so that figures of a few milliseconds tell something. */
const STEP_MS = 0.1;
const STEPS = 100_000;

/** Latencies in milliseconds, counted in steps of 0.1 ms up to 10 s: of bounded size, however long the demo runs. */
export class Latencies {
  readonly #counts = new Uint32Array(STEPS);
  #total = 0;

  add(ms: number): void {
    const step = Math.min(STEPS - 1, Math.max(0, Math.floor(ms / STEP_MS)));
    this.#counts[step] = (this.#counts[step] ?? 0) + 1;
    this.#total++;
  }

  /** Null while there is none. */
  percentiles(): Percentiles | null {
    return this.#total === 0 ? null : { p50: this.#at(0.5), p99: this.#at(0.99) };
  }

  /** Nearest rank, as the upper bound of its step. */
  #at(share: number): number {
    let rank = Math.ceil(share * this.#total);
    const step = this.#counts.findIndex((count) => (rank -= count) <= 0);
    return Math.round((step + 1) * STEP_MS * 10) / 10;
  }
}
