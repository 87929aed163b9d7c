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

/**
 * The unconfirmed messages of one channel, by delivery tags that are counted here: one object per channel, so that an
 * answer of an old channel cannot touch what a newer one has sent. A return carries no tag, only the message's id, and
 * comes before the confirm: the flag it sets beats the confirm.
 */
export class Confirms<T> {
  readonly #pending = new Map<number, Pending<T>>();
  #tag = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** Counts a message that was written to the channel. */
  sent(item: T, id: string, sentAt: number): void {
    this.#pending.set(++this.#tag, { item, id, sentAt, returned: false });
  }

  /**
   * The broker returned the message with this id. All in flight with it are taken for returned: ids need not be unique,
   * and publishing one again is harmless where losing it is not.
   */
  returned(id: string): void {
    for (const pending of this.#pending.values()) if (pending.id === id) pending.returned = true;
  }

  /** Takes out what a confirm or nack answers for; tags that are not pending are ignored. */
  settle(tag: number, multiple: boolean): Settled<T>[] {
    if (!multiple) {
      const pending = this.#pending.get(tag);
      this.#pending.delete(tag);
      return pending === undefined ? [] : [pending];
    }
    const settled: Settled<T>[] = [];
    for (const [at, pending] of this.#pending) {
      if (at > tag) break;
      this.#pending.delete(at);
      settled.push(pending);
    }
    return settled;
  }

  /** When the oldest unconfirmed message was sent, or null. */
  oldest(): number | null {
    for (const { sentAt } of this.#pending.values()) return sentAt;
    return null;
  }

  /** Takes out all, in the order in which they were sent: their fate is unknown. */
  drain(): T[] {
    const items = [...this.#pending.values()].map(({ item }) => item);
    this.#pending.clear();
    return items;
  }
}
