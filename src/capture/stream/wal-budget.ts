/** How much of the budget may be used before it is told, and how much must be free again before it is told anew. */
const NEAR = 0.8;
const RELAXED = 0.5;

/** What a look at the retained log amounts to. `near` only once, until half of the budget is free again. */
export type BudgetVerdict = 'within' | 'near' | 'exceeded';

/** Judges the log that a slot retains by a budget. */
export class WalBudget {
  readonly #bytes: number;
  #told = false;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** @param retainedBytes at this look */
  judge(retainedBytes: number): BudgetVerdict {
    if (retainedBytes > this.#bytes) return 'exceeded';
    if (retainedBytes < this.#bytes * RELAXED) this.#told = false;
    if (this.#told || retainedBytes < this.#bytes * NEAR) return 'within';
    this.#told = true;
    return 'near';
  }
}
