/**
 * How many messages a batch may have while one among those in front of the queue is suspected and not known: after
 * each failure half as many, down to one, which then is the culprit. The suspects stand in front of the queue.
 */
export class Isolation {
  readonly #rows: number;
  #limit: number;
  #suspects = 0;

  /** @param rows the limit while nobody is suspected */
  constructor(rows: number) {
    this.#rows = rows;
    this.#limit = rows;
  }

  /** Most messages in the next batch. */
  get limit(): number {
    return this.#limit;
  }

  /** A batch failed because of one of its messages: these `suspects` are back in the queue. */
  suspect(suspects: number): void {
    this.#suspects = Math.max(this.#suspects, suspects);
    this.#limit = Math.max(1, Math.floor(Math.min(this.#limit, suspects) / 2));
  }

  /** A batch of so many was stored. */
  cleared(messages: number): void {
    if (this.#suspects === 0) return;
    this.#suspects -= messages;
    if (this.#suspects <= 0) this.found();
  }

  /** The culprit is found, so the others are under no suspicion until a batch fails again. */
  found(): void {
    this.#suspects = 0;
    this.#limit = this.#rows;
  }
}
