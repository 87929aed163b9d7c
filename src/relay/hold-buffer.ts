import { seesTransaction, type Snapshot } from '../core/snapshot.ts';
import type { RoutedTransaction } from './routed.ts';

/** The transactions of the stream that a destination holds during its handover, in commit order. Pure. */
export class HoldBuffer {
  #held: RoutedTransaction[] = [];
  #rows = 0;
  #bytes = 0;

  /** Rows held. */
  get rows(): number {
    return this.#rows;
  }

  /** What they take in memory, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  hold(transaction: RoutedTransaction): void {
    this.#held.push(transaction);
    this.#rows += transaction.rows.length;
    this.#bytes += transaction.bytes;
  }

  /** Drops what `snapshot` sees: a complete pass over it has published that. Returns how many transactions. */
  dropVisible(snapshot: Snapshot): number {
    const before = this.#held;
    this.clear();
    for (const transaction of before) {
      if (!seesTransaction(snapshot, transaction.xid)) this.hold(transaction);
    }
    return before.length - this.#held.length;
  }

  /** Takes everything out, in commit order. */
  take(): readonly RoutedTransaction[] {
    const held = this.#held;
    this.clear();
    return held;
  }

  clear(): void {
    this.#held = [];
    this.#rows = 0;
    this.#bytes = 0;
  }
}
