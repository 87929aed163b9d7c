import type {
  PassRequest,
  Stream,
  StreamListener,
  StreamSource,
  TablePass,
  TableReader,
} from '../../../src/core/capture.ts';
import { RelayError } from '../../../src/core/errors.ts';
import type { Lsn } from '../../../src/core/lsn.ts';
import type { OutboxRow, RowRef } from '../../../src/core/row.ts';
import { isVisible, type FullXid, type Snapshot } from '../../../src/core/snapshot.ts';
import type { Auditor, ParkedMark, ParkedStore, PublishedRow, Settler, SettleResult } from '../../../src/core/store.ts';
import { pause, type Random } from './random.ts';
import {
  byPosition,
  toStreamRow,
  toTableRow,
  type DatabaseFaults,
  type SimulatedRouting,
  type SimulatedRow,
  type Transaction,
} from './rows.ts';

/** First ids: just below where 32 bits wrap around. */
const FIRST_XID = 4294967280n;

/**
 * Postgres as far as capture depends on it: transaction ids, snapshots, commit records that are written before the
 * transaction becomes visible, locks on keys that are held until it is, positions that are given out before the commit,
 * a log that is decoded at the commit record, slots whose creation waits for those without one.
 */
export class SimulatedDatabase implements StreamSource, Settler, ParkedStore, Auditor {
  /** Turned off for the quiet end of a history. */
  faults: DatabaseFaults;
  readonly #random: Random;
  readonly #routing: SimulatedRouting;
  readonly #table = new Map<bigint, SimulatedRow>();
  readonly #transactions: Transaction[] = [];
  readonly #log: Transaction[] = [];
  readonly #parked = new Map<string, ParkedMark>();
  readonly #keyOwner = new Map<string, Transaction>();
  readonly #versions = new Map<string, number>();
  readonly committed: SimulatedRow[] = [];
  #nextXid = FIRST_XID;
  #latestCompleted = FIRST_XID - 1n;
  #lsn: Lsn = 100n;
  #position = 0n;
  #slots = 0;

  constructor(random: Random, routing: SimulatedRouting, faults: DatabaseFaults) {
    this.#random = random;
    this.#routing = routing;
    this.faults = faults;
  }

  get size(): number {
    return this.#table.size;
  }

  // ---- writers ----

  begin(): Transaction {
    const transaction = { xid: this.#nextXid++, rows: [], keys: new Set<string>(), commitLsn: null, ended: false };
    this.#transactions.push(transaction);
    return transaction;
  }

  /** Inserts a row for a key, unless another transaction holds the key; a row without a key never waits. */
  insert(transaction: Transaction, key: string | null): boolean {
    if (key !== null && !this.#lock(transaction, key)) return false;
    const version = this.#version(key) + 1 + transaction.rows.filter((row) => row.key === key).length;
    const position = ++this.#position;
    transaction.rows.push({ position, id: `id-${position}`, key, version, xid: transaction.xid });
    this.#lsn += 10n;
    return true;
  }

  #version(key: string | null): number {
    return key === null ? 0 : (this.#versions.get(key) ?? 0);
  }

  #lock(transaction: Transaction, key: string): boolean {
    const owner = this.#keyOwner.get(key);
    if (owner !== undefined && owner !== transaction) return false;
    this.#keyOwner.set(key, transaction);
    transaction.keys.add(key);
    return true;
  }

  rollback(transaction: Transaction): void {
    this.#end(transaction);
  }

  /** Writes the commit record; the transaction becomes visible, and its keys free, `visibleAfterMs` later. */
  async commit(transaction: Transaction, visibleAfterMs: number): Promise<void> {
    transaction.commitLsn = this.#lsn;
    this.#lsn += 10n;
    this.#log.push(transaction);
    if (visibleAfterMs > 0) await pause(visibleAfterMs);
    for (const row of transaction.rows) {
      this.#table.set(row.position, row);
      if (row.key !== null) this.#versions.set(row.key, Math.max(this.#version(row.key), row.version));
      this.committed.push(row);
    }
    this.#end(transaction);
  }

  #end(transaction: Transaction): void {
    transaction.ended = true;
    if (transaction.xid > this.#latestCompleted) this.#latestCompleted = transaction.xid;
    for (const key of transaction.keys) this.#keyOwner.delete(key);
  }

  #snapshot(): Snapshot {
    const xmax = this.#latestCompleted + 1n;
    const running = this.#transactions.filter(({ ended, xid }) => !ended && xid < xmax).map(({ xid }) => xid);
    const lowest = this.#transactions.filter(({ ended }) => !ended).map(({ xid }) => xid);
    const xmin = [...lowest, xmax].reduce((least, xid) => (xid < least ? xid : least));
    return { xmin, xmax, running: new Set(running) };
  }

  // ---- the table lane ----

  reader(): TableReader {
    return { open: (request, signal) => this.#openPass(request, signal), assignXid: () => this.#assignXid() };
  }

  async #assignXid(): Promise<FullXid> {
    await pause(this.#random.below(4));
    const transaction = this.begin();
    this.#end(transaction);
    return transaction.xid;
  }

  async #openPass(request: PassRequest, signal: AbortSignal): Promise<TablePass> {
    await pause(this.#random.below(4));
    this.#mayFail(this.faults.passFails, 'opening a pass');
    const snapshot = this.#snapshot();
    const insertLsn = this.#lsn;
    const rows = this.#unpublished(request.destination, this.#routing.keysInSql)
      .map(toTableRow)
      .filter((row) => request.wanted?.(row) ?? true);
    const taken = rows.slice(0, request.maxRows);
    let delivered = 0;
    const deliver = this.#chunks(taken, signal, (count) => (delivered += count));
    return {
      snapshot,
      insertLsn,
      rows: () => deliver,
      get complete() {
        return delivered === rows.length;
      },
      close: () => Promise.resolve(),
    };
  }

  async *#chunks(
    rows: readonly OutboxRow[],
    signal: AbortSignal,
    delivered: (count: number) => void,
  ): AsyncGenerator<readonly OutboxRow[]> {
    for (let at = 0; at < rows.length;) {
      await pause(this.#random.below(3));
      if (signal.aborted) return;
      this.#mayFail(this.faults.passFails, 'reading a pass');
      const chunk = rows.slice(at, at + 1 + this.#random.below(4));
      at += chunk.length;
      delivered(chunk.length);
      yield chunk;
    }
  }

  // ---- the log lane ----

  async open(listener: StreamListener, signal: AbortSignal): Promise<Stream> {
    const waitedFor = this.#transactions.filter(({ ended, commitLsn }) => !ended && commitLsn === null);
    while (waitedFor.some(({ ended, commitLsn }) => !ended && commitLsn === null)) {
      await pause(1);
      if (signal.aborted) throw new RelayError('replication_failed', 'given up');
    }
    this.#mayFail(this.faults.openFails, 'opening a stream', 'replication_failed');
    const from = this.#log.length;
    await pause(this.#random.below(5));
    const stream = { paused: false, closed: false };
    void this.#deliver(listener, stream, from);
    return {
      slotName: `slot_${++this.#slots}`,
      pause: () => (stream.paused = true),
      resume: () => (stream.paused = false),
      close: () => {
        stream.closed = true;
        return Promise.resolve();
      },
    };
  }

  async #deliver(listener: StreamListener, stream: { paused: boolean; closed: boolean }, from: number): Promise<void> {
    for (let at = from; ;) {
      await pause(1 + this.#random.below(3));
      if (stream.closed) return;
      if (this.#random.chance(this.faults.streamEnds)) {
        listener.ended(new RelayError('replication_failed', 'simulated'));
        return;
      }
      if (stream.paused) continue;
      for (const batch = 1 + this.#random.below(3), end = Math.min(this.#log.length, at + batch); at < end; at++) {
        const transaction = this.#log[at];
        if (transaction === undefined || transaction.rows.length === 0) continue;
        listener.transaction({
          xid: Number(BigInt.asUintN(32, transaction.xid)),
          commitLsn: transaction.commitLsn ?? 0n,
          committedAt: 0,
          rows: transaction.rows.map(toStreamRow),
          bytes: transaction.rows.length,
        });
      }
      listener.progress(at < this.#log.length ? (this.#log[at]?.commitLsn ?? 0n) : this.#lsn);
    }
  }

  // ---- deletions, parked rows, audit ----

  async settle<Row extends PublishedRow>(rows: readonly Row[]): Promise<SettleResult<Row>> {
    await pause(this.#random.below(3));
    this.#mayFail(this.faults.settleFails, 'settling');
    const snapshot = this.#snapshot();
    const absent = rows.filter((row) => this.#table.get(row.position)?.id !== row.id);
    for (const row of rows) {
      if (this.#table.get(row.position)?.id === row.id) this.#table.delete(row.position);
    }
    await pause(this.#random.below(3));
    this.#mayFail(this.faults.settleFails, 'answering a settle');
    const visible = (row: Row): boolean => row.xid === null || isVisible(snapshot, this.#fullXid(row.xid));
    return {
      deleted: rows.length - absent.length,
      notYetVisible: absent.filter((row) => !visible(row)),
      missing: absent.filter(visible),
      locked: [],
      blocked: [],
    };
  }

  #fullXid(xid: number): FullXid {
    return this.#transactions.find((each) => Number(BigInt.asUintN(32, each.xid)) === xid)?.xid ?? 0n;
  }

  load(): Promise<readonly ParkedMark[]> {
    return Promise.resolve([...this.#parked.values()]);
  }

  async park(mark: ParkedMark): Promise<void> {
    await pause(this.#random.below(3));
    this.#mayFail(this.faults.parkFails, 'parking');
    this.#parked.set(`${mark.position}/${mark.id}`, mark);
  }

  /** What `outbox-relay parked retry --all` does. */
  retryAll(): void {
    this.#parked.clear();
  }

  async bury(row: PublishedRow): Promise<boolean> {
    await pause(this.#random.below(3));
    this.#mayFail(this.faults.parkFails, 'burying');
    this.#parked.delete(`${row.position}/${row.id}`);
    if (this.#table.delete(row.position)) return true;
    return row.xid === null || isVisible(this.#snapshot(), this.#fullXid(row.xid));
  }

  leavesOutParkedKeys(): boolean {
    return this.#routing.keysInSql;
  }

  async look(destination: string, limit: number): Promise<{ present: readonly RowRef[]; insertLsn: Lsn }> {
    await pause(this.#random.below(3));
    return { present: this.#unpublished(destination, this.#routing.keysInSql).slice(0, limit), insertLsn: this.#lsn };
  }

  async stillThere(destination: string, refs: readonly RowRef[]): Promise<readonly RowRef[]> {
    await pause(this.#random.below(3));
    const ids = new Set(refs.map(({ id }) => id));
    return this.#unpublished(destination, this.#routing.keysInSql).filter(({ id }) => ids.has(id));
  }

  /** A destination's rows without those that are parked, lowest position first. */
  #unpublished(destination: string, withoutKeys: boolean): readonly SimulatedRow[] {
    const marks = [...this.#parked.values()];
    const keys = new Set(withoutKeys ? marks.map((mark) => mark.key).filter((key) => key !== null) : []);
    const parked = new Set(marks.map(({ id }) => id));
    return [...this.#table.values()]
      .filter((row) => this.#routing.destinationOf(row) === destination)
      .filter(({ id, key }) => !parked.has(id) && (key === null || !keys.has(key)))
      .sort(byPosition);
  }

  #mayFail(
    probability: number,
    doing: string,
    code: 'postgres_query_failed' | 'replication_failed' = 'postgres_query_failed',
  ): void {
    if (this.#random.chance(probability)) throw new RelayError(code, `simulated failure: ${doing}`);
  }
}
