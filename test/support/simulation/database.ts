import { RelayError } from '../../../src/core/errors.ts';
import type { Lsn } from '../../../src/core/lsn.ts';
import { isVisible, type FullXid, type Snapshot } from '../../../src/core/snapshot.ts';
import { pause, type Random } from './random.ts';
import { byPosition, type SimulatedRow, type Transaction } from './rows.ts';
import { TableLock } from './table-lock.ts';
import type { Truth } from './truth.ts';

/** First ids: just below where 32 bits wrap around. */
const FIRST_XID = 4294967280n;
const RECORD = 10n;
/** How far a standby that is promoted may be behind. */
const REPLICATION_LAG = 20n * RECORD;

/** How a transaction commits. */
export interface CommitStyle {
  /** `synchronous_commit = off`: visible before it is flushed. */
  readonly asynchronous: boolean;
  /** How long a standby is waited for: the transaction is in the log, and decoded, but not visible. Milliseconds. */
  readonly standbyMs: number;
}

/**
 * Postgres as far as the relay depends on it: transaction ids, snapshots, commit records that are written before the
 * transaction becomes visible, locks on keys that are held until it is, positions that are given out before the commit,
 * a log that is flushed some time after it was written, crashes that take back what was not, DDL that rewrites the table.
 */
export class SimulatedDatabase {
  readonly random: Random;
  readonly lock = new TableLock();
  /** By id; as the latest snapshot sees it. */
  readonly table = new Map<string, SimulatedRow>();
  /** In order of their commit records. */
  readonly log: Transaction[] = [];
  readonly #truth: Truth;
  readonly #running = new Set<Transaction>();
  readonly #keyOwner = new Map<string, Transaction>();
  /** Deletions that a crash can still take back. */
  #deletions: { readonly row: SimulatedRow; readonly lsn: Lsn }[] = [];
  #nextXid = FIRST_XID;
  #latestCompleted = FIRST_XID - 1n;
  #lsn: Lsn = 100n;
  #flushed: Lsn = 100n;
  #flushing = false;
  #position = 0n;
  #ids = 0;
  /** Transactions in the log below it inserted before positions were restarted. */
  #restartedAt = 0;
  #rewrittenBy: FullXid = 0n;
  #rewrittenAt: Lsn = 0n;
  #crashes = 0;
  #downUntil = 0;
  /** Whether the publication covers the table. */
  publishes = true;

  constructor(random: Random, truth: Truth) {
    this.random = random;
    this.#truth = truth;
  }

  /** Where the next record is written. */
  get insertLsn(): Lsn {
    return this.#lsn;
  }

  get flushLsn(): Lsn {
    return this.#flushed;
  }

  /** Counts crashes: sessions end with the server. */
  get crashes(): number {
    return this.#crashes;
  }

  // ---- writers ----

  begin(): Transaction {
    const transaction: Transaction = {
      xid: this.#nextXid++,
      rows: [],
      keys: new Set<string>(),
      commitLsn: null,
      ended: false,
      hidden: false,
      rolledBack: false,
      releaseLock: () => undefined,
    };
    this.#running.add(transaction);
    return transaction;
  }

  /** Inserts a row for a key, unless another transaction holds the key; a row without a key never waits for one. */
  async insert(transaction: Transaction, key: string | null): Promise<void> {
    while (transaction.rows.length === 0 && this.lock.wanted) await pause(1);
    if (transaction.ended || (key !== null && !this.#own(transaction, key))) return;
    if (transaction.rows.length === 0) transaction.releaseLock = this.lock.shareNow();
    const row = { position: ++this.#position, id: `id-${++this.#ids}`, key, xid: transaction.xid };
    transaction.rows.push(row);
    this.append();
  }

  #own(transaction: Transaction, key: string): boolean {
    const owner = this.#keyOwner.get(key);
    if (owner !== undefined && owner !== transaction) return false;
    this.#keyOwner.set(key, transaction);
    transaction.keys.add(key);
    return true;
  }

  rollback(transaction: Transaction): void {
    if (transaction.ended) return;
    transaction.commitLsn = this.append();
    transaction.rolledBack = true;
    this.log.push(transaction);
    this.#end(transaction);
  }

  async commit(transaction: Transaction, style: CommitStyle): Promise<void> {
    if (transaction.ended) return;
    const lsn = this.append();
    transaction.commitLsn = lsn;
    transaction.hidden = !this.publishes;
    this.log.push(transaction);
    if (!style.asynchronous) {
      await pause(this.random.below(2));
      if (hasEnded(transaction)) return;
      this.flush(lsn + RECORD);
    }
    if (style.standbyMs > 0) await pause(style.standbyMs);
    if (!hasEnded(transaction)) this.#makeVisible(transaction);
  }

  #makeVisible(transaction: Transaction): void {
    for (const row of transaction.rows) this.table.set(row.id, row);
    this.#truth.committed(transaction.rows);
    this.#end(transaction);
  }

  #end(transaction: Transaction): void {
    transaction.ended = true;
    this.#running.delete(transaction);
    if (transaction.xid > this.#latestCompleted) this.#latestCompleted = transaction.xid;
    for (const key of transaction.keys) this.#keyOwner.delete(key);
    transaction.releaseLock();
  }

  // ---- snapshots and the log ----

  snapshot(): Snapshot {
    const xmax = this.#latestCompleted + 1n;
    const running = new Set<FullXid>();
    let xmin = xmax;
    for (const { xid } of this.#running) {
      if (xid < xmax) running.add(xid);
      if (xid < xmin) xmin = xid;
    }
    return { xmin, xmax, running };
  }

  /** Assigns a transaction id in a transaction of its own. */
  assignXid(): FullXid {
    const transaction = this.begin();
    this.#end(transaction);
    return transaction.xid;
  }

  /** Transactions that write and have not written their commit records: the creation of a slot waits for them. */
  writing(): readonly Transaction[] {
    return [...this.#running].filter(({ commitLsn }) => commitLsn === null);
  }

  /** Rows in the table that the publication has left out: only the audit can find them, by and by. */
  get hiddenRows(): number {
    const hidden = this.log.filter((transaction) => transaction.hidden).flatMap(({ rows }) => rows);
    return hidden.filter(({ id }) => this.table.has(id)).length;
  }

  /** What a snapshot taken now sees, lowest position first. */
  rows(): readonly SimulatedRow[] {
    return [...this.table.values()].sort(byPosition);
  }

  /** Whether the table was rewritten or emptied by a transaction that a snapshot does not see: it then sees no rows. */
  rewrittenAfter(snapshot: Snapshot): boolean {
    return !isVisible(snapshot, this.#rewrittenBy);
  }

  /** Writes a record, which the WAL writer flushes some time later if nobody else does. Returns its start. */
  append(): Lsn {
    const start = this.#lsn;
    this.#lsn += RECORD;
    if (!this.#flushing) {
      this.#flushing = true;
      const crashes = this.#crashes;
      void pause(this.random.below(this.random.chance(0.3) ? 100 : 10)).then(() => {
        if (crashes !== this.#crashes) return;
        this.#flushing = false;
        this.flush(this.#lsn);
      });
    }
    return start;
  }

  flush(upTo: Lsn): void {
    if (upTo > this.#flushed) this.#flushed = upTo;
  }

  // ---- the relay's own writing ----

  /** Deletes rows with `synchronous_commit = off`. */
  delete(rows: readonly SimulatedRow[]): void {
    if (rows.length === 0) return;
    const lsn = this.append();
    this.#deletions = this.#deletions.filter((deletion) => deletion.lsn >= this.#flushed - REPLICATION_LAG);
    for (const row of rows) {
      this.table.delete(row.id);
      this.#deletions.push({ row, lsn });
    }
  }

  // ---- operators and disasters ----

  /** ALTER TABLE that rewrites; or TRUNCATE RESTART IDENTITY, after which positions are given out again. */
  async rewrite(truncate: boolean): Promise<void> {
    await this.lock.alone(() => {
      this.#rewrittenBy = this.assignXid();
      this.append();
      this.flush(this.#lsn);
      this.#rewrittenAt = this.#lsn;
      if (!truncate) return;
      this.#truth.withdrawn(this.table.values());
      this.table.clear();
      this.#deletions = [];
      this.#position = 0n;
      this.#restartedAt = this.log.length;
    });
  }

  /** A standby is promoted that was behind: also some of what was flushed, and published, has never been. */
  failOver(downMs: number): void {
    const reached = this.#flushed - RECORD * BigInt(this.random.below(Number(REPLICATION_LAG / RECORD)));
    this.#flushed = reached > this.#rewrittenAt ? reached : this.#rewrittenAt;
    this.#truth.failedOver();
    this.crash(downMs);
  }

  /** An immediate stop and a restart: what was not flushed has never been. */
  crash(downMs: number): void {
    this.#crashes++;
    this.#downUntil = performance.now() + downMs;
    this.lock.reset();
    const kept = this.log.filter(({ commitLsn }) => commitLsn !== null && commitLsn + RECORD <= this.#flushed);
    const lost = this.log.slice(kept.length);
    this.log.length = kept.length;
    for (const { rows } of lost) {
      for (const { id } of rows) this.table.delete(id);
      this.#truth.takenBack(rows);
    }
    for (const transaction of kept) if (!transaction.ended) this.#makeVisible(transaction);
    this.#undelete(new Set(lost));
    for (const transaction of [...this.#running]) this.#end(transaction);
    this.#lsn = this.#flushed;
    this.#flushing = false;
    this.#restartCounters();
  }

  #undelete(lost: ReadonlySet<Transaction>): void {
    const vanished = new Set([...lost].flatMap(({ rows }) => rows));
    for (const { row, lsn } of this.#deletions) {
      if (lsn >= this.#flushed && !vanished.has(row)) this.table.set(row.id, row);
    }
    this.#deletions = [];
  }

  /** Ids and positions of which the log knows nothing are given out again. */
  #restartCounters(): void {
    const logged = this.log.slice(this.#restartedAt).flatMap(({ rows }) => rows);
    this.#position = logged.reduce((most, { position }) => (position > most ? position : most), 0n);
    const committed = this.log.reduce((most, { xid }) => (xid > most ? xid : most), this.#rewrittenBy);
    this.#nextXid = (committed > FIRST_XID ? committed : FIRST_XID) + 1n;
    this.#latestCompleted = this.#nextXid - 1n;
  }

  /** Days go by: half of all 32-bit transaction ids are used up. */
  age(): void {
    this.#latestCompleted = this.#nextXid + 2n ** 31n;
    this.#nextXid = this.#latestCompleted + 1n;
  }

  // ---- sessions ----

  /**
   * A statement on a session: reaches the server after a moment, and is answered after another. Either may fail, and
   * after the failure of the answer nobody knows that the statement has been carried out.
   *
   * @param failing probability for either
   */
  async statement<T>(doing: string, failing: number, work: () => T | Promise<T>): Promise<T> {
    const crashes = this.#crashes;
    await pause(this.random.below(3));
    this.#mayFail(doing, failing, crashes);
    const result = await work();
    await pause(this.random.below(3));
    this.#mayFail(doing, failing, crashes);
    return result;
  }

  #mayFail(doing: string, probability: number, crashes: number): void {
    if (this.#crashes !== crashes || performance.now() < this.#downUntil)
      throw new RelayError('postgres_unreachable', `simulated crash: ${doing}`);
    if (this.random.chance(probability)) throw new RelayError('postgres_query_failed', `simulated failure: ${doing}`);
  }
}

/** By now: a crash may have come in between. */
function hasEnded({ ended }: Transaction): boolean {
  return ended;
}
