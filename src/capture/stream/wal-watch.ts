import { RelayError } from '../../core/errors.ts';
import type { SlotSample } from '../../core/status.ts';
import type { OutboxTable } from '../../core/table.ts';
import { assertPublished } from './publication-coverage.ts';
import type { SqlSession } from '../../postgres/session.ts';

/** What a watch looks at, and when it objects. */
export interface WalWatchOptions {
  readonly slotName: string;
  readonly table: OutboxTable;
  readonly publication: string;
  /** Retained log beyond which the slot is given up, in bytes. */
  readonly budgetBytes: number;
  /** Between two looks, in milliseconds. */
  readonly intervalMs: number;
  readonly onSample: (sample: SlotSample) => void;
}

interface SlotRow {
  readonly retained: string | null;
  readonly wal_status: string | null;
}

/**
 * Looks at a slot every few seconds over the SQL session, so that a stream that does not keep up (or a slot whose
 * creation waits) never fills the server's disk, and so that one that has silently run dry is noticed.
 */
export class WalWatch {
  /** Resolves with the first objection, or the failure of the session; never, when there is none. */
  readonly trouble: Promise<unknown>;
  readonly #session: SqlSession;
  readonly #options: WalWatchOptions;
  #object: (error: unknown) => void = () => undefined;
  #created = false;
  #stopped = false;
  #timer: NodeJS.Timeout | null = null;

  /** Starts at once. */
  constructor(session: SqlSession, options: WalWatchOptions) {
    this.#session = session;
    this.#options = options;
    this.trouble = new Promise((resolve) => (this.#object = resolve));
    this.#scheduleNext();
  }

  /** The slot has been created: from now on it has to be there. */
  slotCreated(): void {
    this.#created = true;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
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
    const { slotName, table, publication } = this.#options;
    const expected = this.#created;
    const [slot] = await this.#session.query<SlotRow>('watching the replication slot', {
      text: `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)::bigint::text AS retained, wal_status
         FROM pg_replication_slots WHERE slot_name = $1`,
      values: [slotName],
    });
    if (this.#stopped) return;
    if (slot === undefined && expected) throw new RelayError('replication_failed', `slot ${slotName} is gone`);
    if (slot !== undefined) this.#judge(slot);
    if (expected) await assertPublished(this.#session, table, publication);
  }

  #judge({ retained, wal_status: walStatus }: SlotRow): void {
    const { slotName, budgetBytes, onSample } = this.#options;
    if (walStatus === 'lost') {
      throw new RelayError(
        'replication_failed',
        `the server has invalidated slot ${slotName}: it retained too much log`,
        {
          remedy: 'Raise max_slot_wal_keep_size, or lower capture.walBudget below it.',
        },
      );
    }
    // Not yet reserved.
    if (retained === null || walStatus === null) return;
    const retainedBytes = Number(retained);
    onSample({ name: slotName, retainedBytes, walStatus });
    if (retainedBytes > budgetBytes) {
      throw new RelayError(
        'wal_budget_exceeded',
        `slot ${slotName} retains ${retainedBytes} bytes of log, more than capture.walBudget (${budgetBytes})`,
      );
    }
  }

  #stopWith(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#object(error);
  }
}
