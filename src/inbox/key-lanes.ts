/** Runs tasks of one key one after the other, in the order in which they came, and tasks of different keys side by side. */
export class KeyLanes {
  /** The end of the last task of each key. */
  readonly #tails = new Map<string, Promise<void>>();

  /** Keys with a task that has not ended. */
  get keys(): number {
    return this.#tails.size;
  }

  /**
   * Runs a task when all earlier ones of its key have ended, however they did.
   *
   * @param key null: at once, in no order
   * @returns settles as the task does
   */
  run<T>(key: string | null, task: () => Promise<T>): Promise<T> {
    if (key === null) return task();
    const before = this.#tails.get(key);
    const result = before === undefined ? task() : before.then(task);
    const tail: Promise<void> = result.then(ignore, ignore).then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    this.#tails.set(key, tail);
    return result;
  }
}

function ignore(): void {
  // how a task ended is the business of who gave it
}
