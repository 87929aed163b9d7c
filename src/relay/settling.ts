import { backoffDelay } from '../core/backoff.ts';
import { RelayError } from '../core/errors.ts';
import type { PublishedRow, Settler, SettleResult } from '../core/store.ts';
import { asRelayError } from './failure.ts';
import { Timer } from './timer.ts';

/** Whose rows are deleted: told what becomes of each. */
export interface SettlingOwner {
  /** The row is gone from the table. */
  settled(row: PublishedRow): void;
  /** The row's deletion has to wait: for somebody's lock, or for the row to become visible. May be told repeatedly. */
  deferred(row: PublishedRow): void;
  /** Rows cannot be deleted: a configuration error, by which the destination halts. */
  deletionBlocked(error: RelayError): void;
}

/** What settling tells for metrics and log. */
export interface SettlingObserver {
  deleted(rows: number): void;
  /** Not visible yet, tried again: normal at low latency, and while a synchronous standby is waited for. */
  notYetVisible(rows: number): void;
  /** Removed by somebody else. */
  missing(rows: number): void;
  failed(error: RelayError): void;
}

/** A row to be deleted, and who hears of it. */
export interface SettlingRow extends PublishedRow {
  readonly owner: SettlingOwner;
}

const BATCH = 1000;
/** Fewer rows wait for more, so long: a statement and its commit cost both sides far more than its rows do. */
const GATHERED_ROWS = 100;
const GATHERING_MS = 10;
const FAILURE_BACKOFF = { baseMs: 100, maxMs: 5000 };
const LOCKED_RETRY_MS = 2_000;
/** A transaction becomes visible within milliseconds of its decoding, unless a standby is waited for. */
const VISIBILITY_BACKOFF = { baseMs: 10, maxMs: 100 };

/**
 * Deletes what was published: one statement at a time, as many rows as have gathered meanwhile, at most 1,000; when
 * these are few, it waits a moment for more.
 *
 * A statement that failed is repeated with the same rows. Rows that are missing after a repetition may have been deleted
 * by the first try, so they count as deleted; otherwise somebody else removed them, which is told.
 */
export class Settling {
  readonly #settler: Settler;
  readonly #observer: SettlingObserver;
  readonly #leads: () => boolean;
  #queue: SettlingRow[] = [];
  #invisible: SettlingRow[] = [];
  #locked: SettlingRow[] = [];
  readonly #lockedTimer = new Timer();
  #invisibleRounds = 0;
  readonly #invisibleTimer = new Timer();
  readonly #gatheringTimer = new Timer();
  #busy = false;
  #stopped = false;
  #unsettled = 0;
  #idle: (() => void)[] = [];

  /**
   * @param leads whether this instance still leads; once it does not, nothing more is deleted, and what is gone has been
   *   deleted by the next leader
   */
  constructor(settler: Settler, observer: SettlingObserver, leads: () => boolean) {
    this.#settler = settler;
    this.#observer = observer;
    this.#leads = leads;
  }

  /** Rows waiting for their deletion, those in the running statement included. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Takes rows that a broker has acknowledged. */
  push(rows: readonly SettlingRow[]): void {
    for (const row of rows) this.#queue.push(row);
    this.#unsettled += rows.length;
    this.#gather();
  }

  /** Resolves when nothing waits any more. */
  whenIdle(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Begins no further statement. What is not deleted is published again after the next start. */
  stop(): void {
    this.#stopped = true;
    this.#invisibleTimer.clear();
    this.#lockedTimer.clear();
    this.#gatheringTimer.clear();
  }

  #gather(): void {
    if (this.#queue.length >= GATHERED_ROWS || this.#lockedAreDue()) this.#pump();
    else if (this.#queue.length > 0 && !this.#stopped && !this.#gatheringTimer.running)
      this.#gatheringTimer.set(GATHERING_MS, () => this.#pump());
  }

  #pump(): void {
    if (this.#busy || this.#stopped) return;
    const batch = this.#nextBatch();
    if (batch.length === 0) return;
    this.#busy = true;
    void this.#settle(batch).finally(() => {
      this.#busy = false;
      this.#gather();
    });
  }

  /** Locked rows are tried by themselves, and not often, since every try may wait. */
  #nextBatch(): readonly SettlingRow[] {
    return (this.#lockedAreDue() ? this.#locked : this.#queue).splice(0, BATCH);
  }

  #lockedAreDue(): boolean {
    return this.#locked.length > 0 && !this.#lockedTimer.running;
  }

  async #settle(batch: readonly SettlingRow[]): Promise<void> {
    for (let attempt = 0; !this.#stopped && this.#leads(); attempt++) {
      try {
        const result = await this.#settler.settle(batch);
        this.#finish(batch, result, attempt > 0);
        return;
      } catch (error) {
        this.#observer.failed(asRelayError(error, 'deleting published rows'));
        await new Promise((resolve) => setTimeout(resolve, backoffDelay(FAILURE_BACKOFF, attempt)));
      }
    }
  }

  #finish(batch: readonly SettlingRow[], result: SettleResult<SettlingRow>, inDoubt: boolean): void {
    const { notYetVisible, missing, locked, blocked } = result;
    const kept = new Set<SettlingRow>([...notYetVisible, ...locked, ...blocked]);
    for (const row of batch) if (!kept.has(row)) row.owner.settled(row);
    const foreign = inDoubt || !this.#leads() ? 0 : missing.length;
    if (foreign > 0) this.#observer.missing(foreign);
    this.#observer.deleted(batch.length - kept.size - foreign);
    this.#unsettled -= batch.length - notYetVisible.length - locked.length;
    for (const row of [...locked, ...notYetVisible]) row.owner.deferred(row);
    if (locked.length > 0) this.#tryLocked(locked);
    if (notYetVisible.length > 0) this.#tryLater(notYetVisible);
    else this.#invisibleRounds = 0;
    this.#tellBlocked(blocked);
    if (this.#unsettled === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #tryLater(rows: readonly SettlingRow[]): void {
    this.#observer.notYetVisible(rows.length);
    this.#invisible.push(...rows);
    if (this.#invisibleTimer.running) return;
    this.#invisibleTimer.set(5 + backoffDelay(VISIBILITY_BACKOFF, this.#invisibleRounds++), () => {
      this.#queue.push(...this.#invisible.splice(0));
      this.#pump();
    });
  }

  #tryLocked(rows: readonly SettlingRow[]): void {
    this.#locked.push(...rows);
    const message = `${rows.length} published rows are locked by another session; their deletion is tried again`;
    this.#observer.failed(new RelayError('rows_locked', message));
    if (!this.#lockedTimer.running) this.#lockedTimer.set(LOCKED_RETRY_MS, () => this.#pump());
  }

  #tellBlocked(blocked: readonly SettlingRow[]): void {
    for (const owner of new Set(blocked.map((row) => row.owner))) {
      const [first] = blocked.filter((row) => row.owner === owner);
      owner.deletionBlocked(
        new RelayError(
          'delete_blocked',
          `the published row at position ${first?.position} is there and cannot be deleted`,
        ),
      );
    }
  }
}
