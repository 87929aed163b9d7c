import type { OutgoingMessage } from '../core/message.ts';
import type { RowRef } from '../core/row.ts';
import type { Delivery } from '../core/store.ts';
import { PositionMap } from './position-map.ts';
import type { SettlingOwner, SettlingRow } from './settling.ts';

/** For the few rows of which both parts are needed as one key. */
const departedKey = ({ position, id }: RowRef): string => `${position}/${id}`;

/** Also what is given to be deleted: nothing more is made for a row on its way. */
interface Entry extends SettlingRow {
  delivery: Delivery | undefined;
  /** Null once acknowledged: the payload is let go, the row waits for its deletion. */
  message: OutgoingMessage | null;
  /** The pass before or during which it was sent. */
  readonly pass: number;
  /** Its deletion had to wait. */
  deferred: boolean;
  /** Another row of the same position (after TRUNCATE RESTART IDENTITY or a restore), or of one that is the same number. */
  next: Entry | null;
}

/**
 * What one destination has in flight: every row between being handed to the publisher and being gone from the table,
 * by position and id. Passes leave these rows out; budgets go by the counts. Pure bookkeeping.
 *
 * A pass may still meet a row after its deletion, when its snapshot is older than that. So rows that were in flight when
 * a pass began stay in the ledger until it has ended.
 *
 * A row is `sent`, then `acknowledged` (its memory is given back), then settled (deleted). When a session fails, what
 * was sent and not acknowledged is forgotten: the table has it.
 */
export class Ledger {
  /** By position as a number, which is much faster than by bigint; where that is not exact, entries form a chain. */
  readonly #entries = new PositionMap<Entry>();
  readonly #owner: SettlingOwner;
  /** Above it nothing was ever sent, so there is nothing to look for: rows come by rising positions mostly. */
  #highest = -Infinity;
  #sent = 0;
  #sentBytes = 0;
  #acknowledged = 0;
  #deferred = 0;
  #pass = 0;
  #passing = false;
  /** Deleted since the running pass began, and sent before that. */
  readonly #departed = new Set<string>();

  /** @param owner whose rows they are, for their deletion */
  constructor(owner: SettlingOwner) {
    this.#owner = owner;
  }

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

  /** Those of them whose deletion had to wait for somebody else. */
  get deferred(): number {
    return this.#deferred;
  }

  /** Whether a row that a lane brings is, or was when the running pass began, in flight: then it is to be left out. */
  has(ref: RowRef): boolean {
    if (Number(ref.position) > this.#highest) return false;
    return this.#find(ref) !== null || (this.#departed.size > 0 && this.#departed.has(departedKey(ref)));
  }

  /** A pass begins: to be called before its snapshot is taken. */
  beginPass(): void {
    this.#pass++;
    this.#passing = true;
    this.#departed.clear();
  }

  /** The pass has ended; what it left out can be forgotten. */
  endPass(): void {
    this.#passing = false;
    this.#departed.clear();
  }

  /** Notes a message as handed to the publisher. The row must not be in flight already. */
  send(message: OutgoingMessage): void {
    const { position, id, xid } = message.row;
    const at = Number(position);
    const next = at > this.#highest ? null : this.#entries.get(at);
    const owner = this.#owner;
    this.#entries.set(at, {
      position,
      id,
      xid,
      delivery: undefined,
      owner,
      message,
      pass: this.#pass,
      deferred: false,
      next,
    });
    this.#highest = Math.max(this.#highest, at);
    this.#sent++;
    this.#sentBytes += message.bytes;
  }

  /**
   * Notes the broker's acknowledgement.
   *
   * @param delivery what is kept of where the row went, where that is kept
   * @returns the row as it is to be deleted; null when it is not waiting for an acknowledgement
   */
  acknowledge(ref: RowRef, delivery?: Delivery): SettlingRow | null {
    const entry = this.#find(ref);
    if (!entry?.message) return null;
    entry.delivery = delivery;
    this.#sent--;
    this.#sentBytes -= entry.message.bytes;
    entry.message = null;
    this.#acknowledged++;
    return entry;
  }

  /** The row's deletion has to wait: for somebody's lock, or for the row to become visible. */
  defer(ref: RowRef): void {
    const entry = this.#find(ref);
    if (entry === null || entry.deferred) return;
    entry.deferred = true;
    this.#deferred++;
  }

  /** The row is gone from the table. */
  settle(ref: RowRef): void {
    const entry = this.#find(ref);
    if (entry === null) return;
    if (this.#passing && entry.pass < this.#pass) {
      this.#departed.add(departedKey(ref));
    }
    this.#remove(entry);
  }

  /** Forgets a row that is left to the table. Returns false when it is not in flight. */
  forget(ref: RowRef): boolean {
    const entry = this.#find(ref);
    if (entry === null) return false;
    this.#remove(entry);
    return true;
  }

  /** Forgets all that is not acknowledged, when the session that was to send it has ended, and returns it. */
  forgetSent(): readonly OutgoingMessage[] {
    const forgotten: OutgoingMessage[] = [];
    for (const first of this.#entries.values()) {
      for (let entry: Entry | null = first; entry !== null; entry = entry.next) {
        if (entry.message === null) continue;
        forgotten.push(entry.message);
        this.#unlink(entry);
      }
    }
    this.#sent = 0;
    this.#sentBytes = 0;
    return forgotten;
  }

  #find({ position, id }: RowRef): Entry | null {
    const at = Number(position);
    // the bigints are compared only where two of them may be the same number
    const exact = Number.isSafeInteger(at);
    let entry = this.#entries.get(at);
    while (entry !== null && (entry.id !== id || (!exact && entry.position !== position))) entry = entry.next;
    return entry;
  }

  #remove(entry: Entry): void {
    if (entry.message === null) {
      this.#acknowledged--;
    } else {
      this.#sent--;
      this.#sentBytes -= entry.message.bytes;
    }
    if (entry.deferred) this.#deferred--;
    this.#unlink(entry);
  }

  #unlink(gone: Entry): void {
    const at = Number(gone.position);
    const first = this.#entries.get(at);
    if (first === gone) {
      if (gone.next === null) this.#entries.delete(at);
      else this.#entries.set(at, gone.next);
      return;
    }
    for (let entry = first; entry !== null; entry = entry.next) {
      if (entry.next === gone) entry.next = gone.next;
    }
  }
}
