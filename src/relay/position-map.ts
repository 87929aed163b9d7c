/** Few enough that a row alone in its block wastes half a kilobyte, many enough that blocks of rows in a row cost next to nothing. */
const BLOCK_SLOTS = 64;

interface Block<Value> {
  used: number;
  readonly slots: (Value | null)[];
}

/**
 * A map by position for rows that come by rising positions and stay for a moment.
 *
 * A `Map` would hold the same, but is made anew each time it has filled up with deletions; such a table is too large
 * for the young generation, and once dead keeps the thousands of rows in it alive until the whole heap is marked. Here
 * what is deleted is let go of at once, and blocks are small enough to die young.
 */
export class PositionMap<Value extends object> {
  readonly #blocks = new Map<number, Block<Value>>();
  /** The block that was used last: rows come and go side by side. */
  #last: Block<Value> | undefined;
  #lastIndex = Number.NaN;

  /** @param at a position as a number; where that is not exact, the nearest one */
  get(at: number): Value | null {
    const index = Math.floor(at / BLOCK_SLOTS);
    return this.#block(index)?.slots[at - index * BLOCK_SLOTS] ?? null;
  }

  set(at: number, value: Value): void {
    const index = Math.floor(at / BLOCK_SLOTS);
    const block = this.#block(index) ?? this.#newBlock(index);
    const slot = at - index * BLOCK_SLOTS;
    if (block.slots[slot] === null) block.used++;
    block.slots[slot] = value;
  }

  delete(at: number): void {
    const index = Math.floor(at / BLOCK_SLOTS);
    const block = this.#block(index);
    const slot = at - index * BLOCK_SLOTS;
    if (block === undefined || block.slots[slot] === null) return;
    block.slots[slot] = null;
    if (--block.used > 0) return;
    this.#blocks.delete(index);
    this.#last = undefined;
    this.#lastIndex = Number.NaN;
  }

  /** In no particular order. A value may be deleted as it is met. */
  *values(): Generator<Value, void, void> {
    for (const { slots } of this.#blocks.values()) {
      for (const value of slots) if (value !== null) yield value;
    }
  }

  #block(index: number): Block<Value> | undefined {
    if (index === this.#lastIndex) return this.#last;
    const block = this.#blocks.get(index);
    if (block !== undefined) {
      this.#last = block;
      this.#lastIndex = index;
    }
    return block;
  }

  #newBlock(index: number): Block<Value> {
    const block: Block<Value> = { used: 0, slots: new Array<Value | null>(BLOCK_SLOTS).fill(null) };
    this.#blocks.set(index, block);
    this.#last = block;
    this.#lastIndex = index;
    return block;
  }
}
