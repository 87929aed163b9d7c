import { pause } from './random.ts';

/** The lock on the outbox table: shared by passes, writers and deletions, taken alone by DDL, which goes first. */
export class TableLock {
  #shared = 0;
  #alone = false;
  /** A crash of the server ends all locks. */
  #generation = 0;

  /** Resolves with what gives the lock back; that may be called more than once. */
  async share(): Promise<() => void> {
    while (this.#alone) await pause(1);
    return this.shareNow();
  }

  /** For who would not have to wait, since nobody has or wants it alone. */
  shareNow(): () => void {
    const generation = this.#generation;
    let held = true;
    this.#shared++;
    return () => {
      if (held && generation === this.#generation) this.#shared--;
      held = false;
    };
  }

  get wanted(): boolean {
    return this.#alone;
  }

  /** Does something while nobody else has the lock. One caller at a time. */
  async alone(action: () => void): Promise<void> {
    const generation = this.#generation;
    this.#alone = true;
    while (this.#shared > 0 && generation === this.#generation) await pause(1);
    if (generation !== this.#generation) return;
    action();
    this.#alone = false;
  }

  reset(): void {
    this.#generation++;
    this.#shared = 0;
    this.#alone = false;
  }
}
