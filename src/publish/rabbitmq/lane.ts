import type { OutgoingMessage } from '../../core/message.ts';

/** One message on its way through the window, and what has befallen it so far. */
export interface Entry {
  readonly message: OutgoingMessage;
  readonly lane: Lane;
  /** The order of enqueueing, over all keys. */
  readonly sequence: number;
  /** How often it was tried in vain: nacked or returned. */
  attempts: number;
  /** Nacks on the channel with this epoch. */
  nacks: number;
  epoch: number;
  /** When it was first returned as unroutable. */
  returnedSince: number | null;
  /** What waits behind it; its lane's to read and to write. */
  next: Entry | null;
}

/**
 * The messages of one key, in order; each message without a key has a lane of its own. What waits is linked from entry
 * to entry: most lanes hold one message and are gone with it, and an array each would cost more than all else of them.
 */
export class Lane {
  readonly key: string | null;
  /** Messages given out and not come back. */
  inFlight = 0;
  /** Entries that wait for their next attempt; meanwhile nothing of the lane is sent. */
  retrying = 0;
  /** A message was refused, and the relay has not said yet how to go on. */
  refused = false;
  /** Whether the lane stands in the queue of lanes that may send. */
  ready = false;
  #first: Entry | null = null;
  #last: Entry | null = null;

  constructor(key: string | null) {
    this.key = key;
  }

  /** The next to send, or null when nothing waits. */
  get first(): Entry | null {
    return this.#first;
  }

  /** Whether there is nothing to remember of it. */
  get idle(): boolean {
    return this.#first === null && this.inFlight === 0 && this.retrying === 0 && !this.refused;
  }

  push(entry: Entry): void {
    if (this.#last === null) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
  }

  /** Takes out {@link first}. */
  shift(): void {
    const entry = this.#first;
    if (entry === null) return;
    this.#first = entry.next;
    if (entry.next === null) this.#last = null;
    entry.next = null;
  }

  /** Back to its place by order of enqueueing: with several of a key in flight not always the first. */
  putBack(entry: Entry): void {
    let before: Entry | null = null;
    let behind = this.#first;
    while (behind !== null && behind.sequence < entry.sequence) {
      before = behind;
      behind = behind.next;
    }
    entry.next = behind;
    if (before === null) this.#first = entry;
    else before.next = entry;
    if (behind === null) this.#last = entry;
  }

  /** Takes out all that waits, in order. */
  drain(): Entry[] {
    const entries: Entry[] = [];
    for (let entry = this.#first; entry !== null; entry = this.#first) {
      this.shift();
      entries.push(entry);
    }
    return entries;
  }
}
