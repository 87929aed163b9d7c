import { Timer } from './timer.ts';
import { Waiters } from './waiters.ts';

/** Most messages under way to a broker that has failed, until it acknowledges one. */
export const TRIAL_ROWS = 100;
/** A session that neither fails nor acknowledges for so long is a slow one: rows for other topics or queues go on. */
const TRIAL_MS = 10_000;

/**
 * Bounds what a broker that takes connections and fails every send gets to see again and again: after a failure little
 * is sent until the first acknowledgement, so that little is repeated when the session fails too.
 */
export class Trial {
  readonly #timer = new Timer();
  #active = false;
  #sent = 0;
  readonly #waiters = new Waiters();

  /** A session begins; after a failure it is on trial. */
  begin(afterFailure: boolean): void {
    this.end();
    this.#active = afterFailure;
  }

  /** The broker has acknowledged, or the session is over. */
  end(): void {
    this.#timer.clear();
    this.#active = false;
    this.#waiters.release();
  }

  /** To be called after every change of what is under way: so many messages are. */
  update(sent: number): void {
    this.#sent = sent;
    if (sent === 0) {
      this.#timer.clear();
      this.#waiters.release();
    } else if (this.#active && !this.#timer.running) this.#timer.set(TRIAL_MS, () => this.end());
  }

  /** How many rows may be sent beside those that are under way. */
  get allowance(): number {
    return this.#active ? Math.max(0, TRIAL_ROWS - this.#sent) : Infinity;
  }

  /** Resolves when nothing is under way or the trial is over, or when `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void> {
    return this.#active && this.#sent > 0 ? this.#waiters.wait(signal) : Promise.resolve();
  }
}
