/** One timer that can be set again: setting it replaces what was set before. */
export class Timer {
  #handle: NodeJS.Timeout | null = null;

  /** @param delayMs milliseconds */
  set(delayMs: number, action: () => void): void {
    this.clear();
    this.#handle = setTimeout(() => {
      this.#handle = null;
      action();
    }, delayMs);
  }

  get running(): boolean {
    return this.#handle !== null;
  }

  clear(): void {
    if (this.#handle !== null) clearTimeout(this.#handle);
    this.#handle = null;
  }
}
