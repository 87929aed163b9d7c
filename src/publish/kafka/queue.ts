import type { OutgoingMessage } from '../../core/message.ts';

/** Below so many, messages that were taken stay in the array: moving the rest would cost more than they do. */
const COMPACT_AFTER = 1_024;

/** Messages in the order in which they are to be sent. Taking from the front is O(1), amortised. */
export class MessageQueue {
  #items: OutgoingMessage[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The first message, or undefined when there is none. */
  peek(): OutgoingMessage | undefined {
    return this.#items[this.#head];
  }

  /** Takes the first message off. */
  shift(): void {
    this.#head++;
    if (this.#head === this.#items.length) this.#reset([]);
    else if (this.#head >= COMPACT_AFTER && this.#head * 2 >= this.#items.length)
      this.#reset(this.#items.slice(this.#head));
  }

  /** Appends messages. */
  push(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) this.#items.push(message);
  }

  /** Puts messages before all others. */
  putBack(messages: readonly OutgoingMessage[]): void {
    if (messages.length > 0) this.#reset([...messages, ...this.#items.slice(this.#head)]);
  }

  /** Takes all messages of a key out, wherever they stand, and returns them in order. */
  extract(key: string): readonly OutgoingMessage[] {
    const waiting = this.#items.slice(this.#head);
    const found = waiting.filter((message) => message.key === key);
    if (found.length > 0) this.#reset(waiting.filter((message) => message.key !== key));
    return found;
  }

  #reset(items: OutgoingMessage[]): void {
    this.#items = items;
    this.#head = 0;
  }
}

/** Keys of which nothing is sent for the time being, each with the messages that were reached meanwhile. */
export class HeldKeys {
  readonly #held = new Map<string, OutgoingMessage[]>();

  /** From now on {@link take} keeps this key's messages. */
  hold(key: string): void {
    if (!this.#held.has(key)) this.#held.set(key, []);
  }

  /** Keeps the message and returns true when its key is held. A message without a key never is. */
  take(message: OutgoingMessage): boolean {
    if (this.#held.size === 0 || message.key === null) return false;
    const kept = this.#held.get(message.key);
    kept?.push(message);
    return kept !== undefined;
  }

  has(key: string): boolean {
    return this.#held.has(key);
  }

  /** The key is not held any more; returns what was kept of it, in order. */
  release(key: string): readonly OutgoingMessage[] {
    const kept = this.#held.get(key) ?? [];
    this.#held.delete(key);
    return kept;
  }
}
