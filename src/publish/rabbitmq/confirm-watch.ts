/**
 * Watches that the broker answers for the oldest unconfirmed message in time. While the broker has an alarm it answers
 * nothing and nothing is wrong: that time does not count.
 */
export class ConfirmWatch {
  readonly #timeoutMs: number;
  readonly #oldest: () => number | null;
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | null = null;
  #suspended = false;
  /** No confirm is expected before this plus the timeout. */
  #notBefore = 0;

  /**
   * @param oldest when the oldest unconfirmed message was sent, by `performance.now()`; null when there is none
   * @param expired called once each time it takes too long
   */
  constructor(timeoutMs: number, oldest: () => number | null, expired: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#oldest = oldest;
    this.#expired = expired;
  }

  /** Something was sent. */
  start(): void {
    if (this.#timer === null && !this.#suspended) this.#arm();
  }

  suspend(): void {
    this.#suspended = true;
    this.stop();
  }

  resume(): void {
    this.#suspended = false;
    this.#notBefore = performance.now();
    this.start();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(): void {
    const oldest = this.#oldest();
    if (oldest === null) return;
    const due = Math.max(oldest, this.#notBefore) + this.#timeoutMs;
    this.#timer = setTimeout(() => this.#check(due), Math.max(1, due - performance.now()));
  }

  #check(due: number): void {
    this.#timer = null;
    const oldest = this.#oldest();
    if (oldest === null) return;
    if (Math.max(oldest, this.#notBefore) + this.#timeoutMs > due) this.#arm();
    else this.#expired();
  }
}
