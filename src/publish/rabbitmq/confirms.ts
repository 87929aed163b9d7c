/** What is known of one published message until the broker answers for it. */
interface Pending<T> {
  readonly item: T;
  readonly id: string;
  readonly sentAt: number;
  returned: boolean;
}

/** A message that the broker has answered for. */
export interface Settled<T> {
  readonly item: T;
  /** It came back as unroutable before: the confirm says only that the broker is done with it. */
  readonly returned: boolean;
}

/** Slots at first; always a power of two. */
const SLOTS = 16;

/**
 * The unconfirmed messages of one channel, by delivery tags that are counted here: one object per channel, so that an
 * answer of an old channel cannot touch what a newer one has sent. A return carries no tag, only the message's id, and
 * comes before the confirm: the flag it sets beats the confirm.
 */
export class Confirms<T> {
  /** A ring: what was sent with a tag stands at the tag modulo its length. */
  #slots = emptySlots<T>(SLOTS);
  /** The oldest tag that is unconfirmed, if any is: else the next. */
  #oldest = 1;
  #next = 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Counts a message that was written to the channel. */
  sent(item: T, id: string, sentAt: number): void {
    if (this.#next - this.#oldest === this.#slots.length) this.#grow();
    this.#slots[this.#at(this.#next++)] = { item, id, sentAt, returned: false };
    this.#size++;
  }

  /**
   * The broker returned the message with this id. All in flight with it are taken for returned: ids need not be unique,
   * and publishing one again is harmless where losing it is not.
   */
  returned(id: string): void {
    for (let tag = this.#oldest; tag < this.#next; tag++) {
      const pending = this.#slots[this.#at(tag)];
      if (pending?.id === id) pending.returned = true;
    }
  }

  /** Takes out what a confirm or nack answers for; tags that are not pending are ignored. */
  settle(tag: number, multiple: boolean): Settled<T>[] {
    const settled: Pending<T>[] = [];
    const last = Math.min(tag, this.#next - 1);
    for (let at = multiple ? this.#oldest : Math.max(tag, this.#oldest); at <= last; at++) {
      const pending = this.#takeOut(at);
      if (pending !== null) settled.push(pending);
    }
    this.#skipSettled();
    return settled;
  }

  /** When the oldest unconfirmed message was sent, or null. */
  oldest(): number | null {
    return this.#slots[this.#at(this.#oldest)]?.sentAt ?? null;
  }

  /** Takes out all, in the order in which they were sent: their fate is unknown. */
  drain(): T[] {
    return this.settle(this.#next - 1, true).map(({ item }) => item);
  }

  #takeOut(tag: number): Pending<T> | null {
    const at = this.#at(tag);
    const pending = this.#slots[at] ?? null;
    if (pending === null) return null;
    this.#slots[at] = null;
    this.#size--;
    return pending;
  }

  #skipSettled(): void {
    while (this.#oldest < this.#next && this.#slots[this.#at(this.#oldest)] === null) this.#oldest++;
  }

  #grow(): void {
    const slots = emptySlots<T>(this.#slots.length * 2);
    for (let tag = this.#oldest; tag < this.#next; tag++) {
      slots[tag & (slots.length - 1)] = this.#slots[this.#at(tag)] ?? null;
    }
    this.#slots = slots;
  }

  #at(tag: number): number {
    return tag & (this.#slots.length - 1);
  }
}

function emptySlots<T>(count: number): (Pending<T> | null)[] {
  return new Array<Pending<T> | null>(count).fill(null);
}
