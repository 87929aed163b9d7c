/** A queue that takes and gives at both ends in constant time, the front insertion of an untouched queue apart. */
export class Deque<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  unshift(item: T): void {
    if (this.#head === 0) this.#items.unshift(item);
    else this.#items[--this.#head] = item;
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.#head === this.#items.length) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.#reset([]);
    else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) this.#reset(this.#items.slice(this.#head));
    return item;
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Takes all, in order. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#reset([]);
    return items;
  }

  #reset(items: (T | undefined)[]): void {
    this.#items = items;
    this.#head = 0;
  }
}
