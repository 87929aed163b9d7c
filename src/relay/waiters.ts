/** Those who wait for something to change. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Resolves with the next {@link release}, or when `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  /** Lets all go on. */
  release(): void {
    if (this.#waiting.size > 0) for (const done of [...this.#waiting]) done();
  }
}
