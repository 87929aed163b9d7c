/**
 * How long an instance may publish without having heard from the database again. The time of a renewal is that at which
 * it was asked for: the server counts the length of the lease from no earlier moment, so that nobody else can have been
 * elected for it before the tenure is over.
 *
 * By `performance.now()`, which nobody sets and which goes on while the process is stopped (CLOCK_MONOTONIC). It stands
 * still while a whole machine is suspended: what such a leader sends when it awakes, before the database answers, may be
 * sent by another too.
 */
export class Tenure {
  readonly #leaseMs: number;
  readonly #now: () => number;
  #until: number;

  /**
   * @param askedAt when the lease was asked for, by the same clock as `now`
   * @param now milliseconds by a monotonic clock
   */
  constructor(leaseMs: number, askedAt: number, now: () => number = () => performance.now()) {
    this.#leaseMs = leaseMs;
    this.#now = now;
    this.#until = askedAt + leaseMs;
  }

  /** The lease was renewed, as was asked for at that time. Too late renews nothing: what is over stays over. */
  renewed(askedAt: number): void {
    if (this.held) this.#until = askedAt + this.#leaseMs;
  }

  /** Whether it still lasts, at this very moment. */
  get held(): boolean {
    return this.#now() < this.#until;
  }
}
