/**
 * Finds the one message that makes the broker close the channel. The broker does not name it, and everything
 * unconfirmed fails with it: so all of them are sent again one at a time, until each was answered. The one that is
 * alone in flight when the channel closes again is the culprit.
 */
export class Isolation<T> {
  readonly #suspects = new Set<T>();

  /** Whether only one message may be in flight. */
  get active(): boolean {
    return this.#suspects.size > 0;
  }

  /**
   * The channel was closed with these in flight.
   *
   * @returns the culprit, or null: then all of them are suspects
   */
  closedWith(inFlight: readonly T[]): T | null {
    const [only] = inFlight;
    if (only !== undefined && inFlight.length === 1) {
      this.#suspects.delete(only);
      return only;
    }
    for (const item of inFlight) this.#suspects.add(item);
    return null;
  }

  /** The broker answered for it, in whatever way, without closing the channel. */
  cleared(item: T): void {
    this.#suspects.delete(item);
  }
}
