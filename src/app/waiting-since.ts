/**
 * Since when a row has been seen to wait, by this process's own clock: an age that holds whatever the clocks of producers
 * said when they wrote the row, and for tables that keep no time.
 */
export class WaitingSince {
  readonly #seen = new Map<string, { readonly row: string; readonly at: number }>();

  /**
   * How long, in seconds, this row has been seen as the first one of its destination.
   *
   * @param nowMs of a clock that is never set
   */
  seconds(destination: string, row: string, nowMs: number): number {
    const seen = this.#seen.get(destination);
    if (seen?.row === row) return (nowMs - seen.at) / 1000;
    this.#seen.set(destination, { row, at: nowMs });
    return 0;
  }

  /** None of its rows waits. */
  forget(destination: string): void {
    this.#seen.delete(destination);
  }
}
