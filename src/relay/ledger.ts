import type { OutgoingMessage } from '../core/message.ts';
import type { RowRef } from '../core/row.ts';

interface Entry {
  readonly id: string;
  /** Null once acknowledged: the payload is let go, the row waits for its deletion. */
  message: OutgoingMessage | null;
  /** Another row that has the same position: possible after TRUNCATE RESTART IDENTITY or a restore. */
  next: Entry | null;
}

/**
 * What one destination has in flight: every row between being handed to the publisher and being gone from the table,
 * by position and id. Passes leave these rows out; budgets go by the counts. Pure bookkeeping.
 *
 * A row is `sent`, then `acknowledged` (its memory is given back), then settled (deleted). When a session fails, what
 * was sent and not acknowledged is forgotten: the table has it.
 */
export class Ledger {
  readonly #entries = new Map<bigint, Entry>();
  #sent = 0;
  #sentBytes = 0;
  #acknowledged = 0;

  /** Rows handed to the publisher and not yet acknowledged. */
  get sent(): number {
    return this.#sent;
  }

  /** What those take in memory, in bytes. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Rows published and not yet deleted. */
  get undeleted(): number {
    return this.#acknowledged;
  }

  has(ref: RowRef): boolean {
    return this.#find(ref) !== null;
  }

  /** Notes a message as handed to the publisher. The row must not be in flight already. */
  send(message: OutgoingMessage): void {
    const { position, id } = message.row;
    this.#entries.set(position, { id, message, next: this.#entries.get(position) ?? null });
    this.#sent++;
    this.#sentBytes += message.bytes;
  }

  /** Notes the broker's acknowledgement. Returns false when the row is not waiting for one. */
  acknowledge(ref: RowRef): boolean {
    const entry = this.#find(ref);
    if (!entry?.message) return false;
    this.#sent--;
    this.#sentBytes -= entry.message.bytes;
    entry.message = null;
    this.#acknowledged++;
    return true;
  }

  /** Forgets a row: it is deleted, or it is left to the table. Returns false when it is not in flight. */
  forget(ref: RowRef): boolean {
    const entry = this.#find(ref);
    if (entry === null) return false;
    if (entry.message === null) {
      this.#acknowledged--;
    } else {
      this.#sent--;
      this.#sentBytes -= entry.message.bytes;
    }
    this.#unlink(ref.position, entry);
    return true;
  }

  /** Forgets all that is not acknowledged, when the session that was to send it has ended. Returns how many. */
  forgetSent(): number {
    const forgotten = this.#sent;
    for (const [position, first] of this.#entries) {
      for (let entry: Entry | null = first; entry !== null; entry = entry.next) {
        if (entry.message !== null) this.#unlink(position, entry);
      }
    }
    this.#sent = 0;
    this.#sentBytes = 0;
    return forgotten;
  }

  #find(ref: RowRef): Entry | null {
    let entry = this.#entries.get(ref.position) ?? null;
    while (entry !== null && entry.id !== ref.id) entry = entry.next;
    return entry;
  }

  #unlink(position: bigint, gone: Entry): void {
    const first = this.#entries.get(position);
    if (first === gone) {
      if (gone.next === null) this.#entries.delete(position);
      else this.#entries.set(position, gone.next);
      return;
    }
    for (let entry = first ?? null; entry !== null; entry = entry.next) {
      if (entry.next === gone) entry.next = gone.next;
    }
  }
}
