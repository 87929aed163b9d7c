import { Waiters } from './waiters.ts';

/**
 * Whether there is room for more in flight, with waiting for it. Full at the limit, and room again only at half of it, so
 * that a stream is not stopped and started for every row.
 */
export class Room {
  readonly #limitBytes: number;
  readonly #limitUndeleted: number;
  #full = false;
  readonly #waiters = new Waiters();

  /**
   * @param limitBytes of what is sent and not yet acknowledged
   * @param limitUndeleted rows that are published and not yet deleted
   */
  constructor(limitBytes: number, limitUndeleted: number) {
    this.#limitBytes = limitBytes;
    this.#limitUndeleted = limitUndeleted;
  }

  get full(): boolean {
    return this.#full;
  }

  /** To be called after every change. Returns whether there is room. */
  update(bytes: number, undeleted: number): boolean {
    const share = this.#full ? 0.5 : 1;
    this.#full = bytes >= this.#limitBytes * share || undeleted >= this.#limitUndeleted * share;
    if (!this.#full) this.#waiters.release();
    return !this.#full;
  }

  /** Resolves when there is room, or when `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void> {
    return this.#full ? this.#waiters.wait(signal) : Promise.resolve();
  }
}
