import type { Lsn } from '../core/lsn.ts';
import { seesTransaction, type Snapshot } from '../core/snapshot.ts';

/**
 * Which transactions of the stream a pass has already published: those visible in the snapshot S of the last complete
 * pass, until the stream has passed P, the insert position read after S.
 *
 * By visibility and not by position: around S, commits become visible in another order than their records have in the
 * log. And only until P: 2^31 transaction ids later the 32-bit ids of new transactions would look visible in S, and
 * every new row would be skipped.
 */
export class SkipRule {
  #snapshot: Snapshot | null = null;
  #insertLsn: Lsn = 0n;

  /** Whether a snapshot is still being compared with. */
  get active(): boolean {
    return this.#snapshot !== null;
  }

  /** A pass over the snapshot was complete: all that it sees is published. `insertLsn` was read after the snapshot. */
  passCompleted(snapshot: Snapshot, insertLsn: Lsn): void {
    this.#snapshot = snapshot;
    this.#insertLsn = insertLsn;
  }

  /** The stream has told every transaction whose commit record starts below `lsn`. */
  streamPassed(lsn: Lsn): void {
    if (lsn >= this.#insertLsn) this.#snapshot = null;
  }

  /** Whether a transaction of the stream is to be skipped. Transactions must be asked for in log order. */
  skips(transaction: { readonly xid: number; readonly commitLsn: Lsn }): boolean {
    this.streamPassed(transaction.commitLsn);
    return this.#snapshot !== null && seesTransaction(this.#snapshot, transaction.xid);
  }

  /** Forgets the snapshot: the stream has ended. */
  reset(): void {
    this.#snapshot = null;
  }
}
