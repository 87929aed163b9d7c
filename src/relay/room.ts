import { Waiters } from './waiters.ts';

/** What is in flight, or may be. */
export interface InFlight {
  /** Sent and not acknowledged yet, in bytes. */
  readonly sentBytes: number;
  /** The same in rows. */
  readonly sent: number;
  /** Published rows that are not deleted yet. */
  readonly undeleted: number;
}

/**
 * Whether there is room for more in flight, with waiting for it. Full at the limit, and room again only at half of it, so
 * that a stream is not stopped and started for every row.
 */
export class Room {
  readonly #limits: InFlight;
  #full = false;
  readonly #waiters = new Waiters();

  /** @param limits at which it is full: any of them */
  constructor(limits: InFlight) {
    this.#limits = limits;
  }

  get full(): boolean {
    return this.#full;
  }

  /** To be called after every change. Returns whether there is room. */
  update({ sentBytes, sent, undeleted }: InFlight): boolean {
    const share = this.#full ? 0.5 : 1;
    const limits = this.#limits;
    this.#full =
      sentBytes >= limits.sentBytes * share || sent >= limits.sent * share || undeleted >= limits.undeleted * share;
    if (!this.#full) this.#waiters.release();
    return !this.#full;
  }

  /** Resolves when there is room, or when `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void> {
    return this.#full ? this.#waiters.wait(signal) : Promise.resolve();
  }
}
