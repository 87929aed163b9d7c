/** How many readings the best one is chosen among: those of the last minute or so. */
const KEPT = 8;
/** Clocks are read in whole milliseconds here. */
const RESOLUTION_MS = 1;

interface Reading {
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
}

/**
 * How far another clock is ahead of this one's, by asking it now and then, as NTP does: the answer with the shortest
 * round trip among the latest says it best. A difference that the round trip could hide counts as none, so that clocks
 * that agree are not pulled apart by noise.
 */
export class ClockOffset {
  readonly #readings: Reading[] = [];

  /** In milliseconds; 0 until a reading proves otherwise. */
  get milliseconds(): number {
    const [first, ...others] = this.#readings;
    if (first === undefined) return 0;
    const best = others.reduce((a, b) => (b.uncertaintyMs < a.uncertaintyMs ? b : a), first);
    return Math.abs(best.offsetMs) <= best.uncertaintyMs ? 0 : best.offsetMs;
  }

  /**
   * A reading. One that contradicts those before shows that a clock was set: these no longer say anything.
   *
   * @param askedAt by this clock, in milliseconds
   * @param answer by the other clock
   * @param answeredAt by this clock
   */
  add(askedAt: number, answer: number, answeredAt: number): void {
    const uncertaintyMs = Math.max(0, answeredAt - askedAt) / 2 + RESOLUTION_MS;
    const reading = { offsetMs: answer - (askedAt + answeredAt) / 2, uncertaintyMs };
    if (!Number.isFinite(reading.offsetMs)) return;
    if (this.#readings.some((other) => contradicts(reading, other))) this.#readings.length = 0;
    this.#readings.push(reading);
    if (this.#readings.length > KEPT) this.#readings.shift();
  }
}

function contradicts(one: Reading, other: Reading): boolean {
  return Math.abs(one.offsetMs - other.offsetMs) > one.uncertaintyMs + other.uncertaintyMs;
}
