import type { StreamedTransaction } from '../core/capture.ts';
import type { Lsn } from '../core/lsn.ts';
import { seesTransaction, type Snapshot } from '../core/snapshot.ts';

/** A transaction, or how far the stream has come behind the one before it. */
type Item = StreamedTransaction | Lsn;

/** In the place of an item that has been taken out, so that it can be forgotten. */
const TAKEN: Item = 0n;
const COMPACT_AT = 256;

/**
 * What a stream has told, until it is visible: given out in log order, hence up to the first transaction that no
 * snapshot has shown yet. How far the stream has come keeps its place among the transactions. Pure.
 */
export class VisibilityQueue {
  #items: Item[] = [];
  /** Items before this one have been taken out. */
  #head = 0;
  /** Of the items before this one, every transaction is visible. */
  #visible = 0;
  #waiting = 0;
  #bytes = 0;

  /** Transactions that are not known to be visible. */
  get waiting(): number {
    return this.#waiting;
  }

  /** What the transactions in the queue take in memory, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  push(transaction: StreamedTransaction): void {
    this.#items.push(transaction);
    this.#waiting++;
    this.#bytes += transaction.bytes;
  }

  /** Every transaction whose commit record starts below `lsn` has been pushed. */
  progress(lsn: Lsn): void {
    const last = this.#items.length - 1;
    // one that follows another says all that the other did
    if (last >= this.#head && typeof this.#items[last] === 'bigint') this.#items[last] = lsn;
    else this.#items.push(lsn);
    if (this.#waiting === 0) this.#visible = this.#items.length;
  }

  /** Lets pass what `snapshot` shows, up to the first transaction that it does not. Returns how many transactions. */
  show(snapshot: Snapshot): number {
    const before = this.#waiting;
    for (; this.#visible < this.#items.length; this.#visible++) {
      const item = this.#items[this.#visible];
      if (item === undefined || typeof item === 'bigint') continue;
      if (!seesTransaction(snapshot, item.xid)) break;
      this.#waiting--;
    }
    return before - this.#waiting;
  }

  /** Takes out what is next; null when that is not visible, or there is nothing. */
  next(): Item | null {
    const item = this.#items[this.#head];
    if (this.#head >= this.#visible || item === undefined) return null;
    this.#items[this.#head++] = TAKEN;
    if (typeof item !== 'bigint') this.#bytes -= item.bytes;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) this.#compact();
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#visible = 0;
    this.#waiting = 0;
    this.#bytes = 0;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#visible -= this.#head;
    this.#head = 0;
  }
}
