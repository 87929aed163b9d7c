import { RelayError } from '../../core/errors.ts';
import { formatLsn, type Lsn } from '../../core/lsn.ts';
import type { BlockingTransaction, SlotObserver } from '../../core/status.ts';
import type { SqlSession } from '../../postgres/session.ts';
import { assertPublished, type Published } from './publication-coverage.ts';
import { slotWaitsError, type SlotWaits } from './slot-waits.ts';
import { WalBudget } from './wal-budget.ts';

/** What a watch looks at, and when it objects. */
export interface WalWatchOptions {
  readonly slotName: string;
  readonly published: Published;
  /** Retained log beyond which the slot is given up, in bytes. */
  readonly budgetBytes: number;
  /** Between two looks, in milliseconds. */
  readonly intervalMs: number;
  readonly waits: SlotWaits;
  readonly observer: SlotObserver;
}

interface SlotRow {
  readonly restart: string | null;
  readonly retained: string | null;
  readonly wal_status: string | null;
}

/**
 * Looks at a slot every few seconds over the SQL session, so that a stream that does not keep up, or a slot whose
 * creation waits, never fills the server's disk; that the transaction is known for which it waits; and that a stream
 * that has silently run dry is noticed.
 */
export class WalWatch {
  /** Resolves with the first objection, or the failure of the session; never, when there is none. */
  readonly trouble: Promise<unknown>;
  readonly #session: SqlSession;
  readonly #options: WalWatchOptions;
  readonly #budget: WalBudget;
  #object: (error: unknown) => void = () => undefined;
  #created = false;
  #stopped = false;
  #timer: NodeJS.Timeout | null = null;
  #blocker: BlockingTransaction | null = null;
  #restart: string | null = null;

  /** Starts at once. */
  constructor(session: SqlSession, options: WalWatchOptions) {
    this.#session = session;
    this.#options = options;
    this.#budget = new WalBudget(options.budgetBytes);
    this.trouble = new Promise((resolve) => (this.#object = resolve));
    this.#scheduleNext();
  }

  /** The slot has been created: from now on it has to be there. */
  slotCreated(startLsn: Lsn): void {
    this.#created = true;
    this.#restart ??= formatLsn(startLsn);
    this.#waitsFor(null);
  }

  /** What its creation waits for, as it was last seen, as an error; null when for nothing that is known. */
  get waiting(): RelayError | null {
    return this.#blocker === null ? null : slotWaitsError(this.#blocker);
  }

  /** Nothing is told any more. */
  stop(): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waitsFor(null);
    this.#stopped = true;
    this.#options.observer.sampled(null);
  }

  /**
   * Whether the slot, which has gone with its walsender, retained more than the server permits: then the server ended
   * the walsender to invalidate it, and says no more to it than that an administrator did.
   *
   * @throws RelayError `postgres_*`
   */
  async invalidation(): Promise<RelayError | null> {
    const { slotName } = this.#options;
    if (this.#restart === null) return null;
    const [row] = await this.#session.query<{ retained: string; invalid: boolean }>('asking for the end of a slot', {
      text: `SELECT r.bytes::text AS retained, s.setting::bigint >= 0 AND r.bytes > s.setting::bigint * 1048576 AS invalid
         FROM pg_settings s, (SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::pg_lsn)::bigint AS bytes) r
        WHERE s.name = 'max_slot_wal_keep_size'`,
      values: [this.#restart],
    });
    return row?.invalid === true ? lost(slotName, 'has invalidated', row.retained) : null;
  }

  #scheduleNext(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(
      () =>
        void this.#look().then(
          () => this.#scheduleNext(),
          (error: unknown) => this.#stopWith(error),
        ),
      this.#options.intervalMs,
    );
  }

  async #look(): Promise<void> {
    const { slotName, published } = this.#options;
    const expected = this.#created;
    const [slot] = await this.#session.query<SlotRow>('watching the replication slot', {
      text: `SELECT restart_lsn::text AS restart, wal_status,
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)::bigint::text AS retained
         FROM pg_replication_slots WHERE slot_name = $1`,
      values: [slotName],
    });
    if (this.#stopped) return;
    if (slot === undefined && expected) throw new RelayError('replication_failed', `slot ${slotName} is gone`);
    if (slot !== undefined) this.#judge(slot);
    if (expected) await assertPublished(this.#session, published);
    else await this.#lookForWaits();
  }

  #judge({ restart, retained, wal_status: walStatus }: SlotRow): void {
    const { slotName, budgetBytes, observer } = this.#options;
    if (walStatus === 'lost') throw lost(slotName, 'has invalidated', retained);
    // Not yet reserved.
    if (restart === null || retained === null || walStatus === null) return;
    this.#restart = restart;
    observer.sampled({ name: slotName, retainedBytes: Number(retained), walStatus });
    if (walStatus === 'unreserved') throw lost(slotName, 'is about to invalidate', retained);
    const verdict = this.#budget.judge(Number(retained));
    if (verdict === 'within') return;
    const found = `slot ${slotName} retains ${retained} bytes of log`;
    const budget = `capture.walBudget (${budgetBytes})`;
    if (verdict === 'exceeded') throw new RelayError('wal_budget_exceeded', `${found}, more than ${budget}`);
    observer.nearBudget(new RelayError('wal_budget_near', `${found}, most of ${budget}`));
  }

  async #lookForWaits(): Promise<void> {
    const { slotName, waits } = this.#options;
    const blocker = await waits.find(this.#session, slotName);
    if (!this.#created) this.#waitsFor(blocker);
  }

  #waitsFor(blocker: BlockingTransaction | null): void {
    if (this.#stopped || (blocker === null && this.#blocker === null)) return;
    this.#blocker = blocker;
    const { slotName, observer } = this.#options;
    observer.waits(blocker === null ? null : { slot: slotName, transaction: blocker });
  }

  #stopWith(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#object(error);
  }
}

function lost(
  slotName: string,
  how: 'has invalidated' | 'is about to invalidate',
  retained: string | null,
): RelayError {
  const bytes = retained === null ? '' : `, which retains ${retained} bytes of log`;
  return new RelayError('replication_slot_lost', `the server ${how} slot ${slotName}${bytes}: max_slot_wal_keep_size`);
}
