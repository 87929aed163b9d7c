/** The two lanes as the relay sees them: the log (a stream of transactions) and the table (passes in one snapshot). */
import type { RelayError } from './errors.ts';
import type { Lsn } from './lsn.ts';
import type { OutboxRow } from './row.ts';
import type { Snapshot } from './snapshot.ts';

/** A committed transaction with the outbox rows that it inserted, complete, as the log delivers it. */
export interface StreamedTransaction {
  /** The top-level transaction id, 32 bits, from the Begin message. */
  readonly xid: number;
  /** Start of the commit record (`final_lsn` of Begin): compared with a snapshot's insert position. */
  readonly commitLsn: Lsn;
  /** By the database's clock, milliseconds since 1970. */
  readonly committedAt: number;
  /** In insertion order. Never empty. */
  readonly rows: readonly OutboxRow[];
  /** What the rows take in memory, in bytes. */
  readonly bytes: number;
}

/** What the stream tells. Called synchronously, in log order; must not throw. */
export interface StreamListener {
  /** At the transaction's Commit. Empty transactions are not told. */
  transaction(transaction: StreamedTransaction): void;
  /** Every transaction whose commit record starts below `lsn` has been told. */
  progress(lsn: Lsn): void;
  /** The stream is over: lost, overflowed (`buffer_full`), or beyond its budget. Called at most once, never after `close`. */
  ended(error: RelayError): void;
}

/** A running stream from a temporary slot, which Postgres drops when the connection ends. */
export interface Stream {
  readonly slotName: string;
  /** Stops reading from the socket: back-pressure as far as the walsender. Position reports go on. Idempotent. */
  pause(): void;
  /** Idempotent. */
  resume(): void;
  /** Ends the conversation, cleanly where the server answers in time, and resolves within about a second. Idempotent. */
  close(): Promise<void>;
}

/** Opens streams. */
export interface StreamSource {
  /**
   * Creates a temporary slot under a new name and starts streaming from it. Everything that commits after the moment
   * of resolution is delivered. Waits for the write transactions that are running, at most `capture.slotTimeout`.
   *
   * When it rejects, and when `signal` was aborted, nothing of the attempt is left but what Postgres ends by itself.
   *
   * @throws RelayError of class `configuration` when somebody has to mend something (`replication_wal_level`,
   *   `replication_denied`, ...), `transient` else (`replication_slot_waits`, `replication_failed`, ...)
   */
  open(listener: StreamListener, signal: AbortSignal): Promise<Stream>;
}

/** What a pass is asked for. */
export interface PassRequest {
  /** The destination whose rows are wanted. */
  readonly destination: string;
  /** How many rows at most, counting those that are taken. */
  readonly maxRows: number;
  /**
   * Which rows are taken, where SQL cannot tell or does not know yet (routing by template, parked keys, rows that are
   * published and not yet deleted): the others are skipped and do not count. Called once a row, in order.
   *
   * @default all that SQL leaves
   */
  readonly wanted?: (row: OutboxRow) => boolean;
}

/** One pass over the table: the rows of one snapshot, lowest position first. */
export interface TablePass {
  /** The snapshot all rows are read in. */
  readonly snapshot: Snapshot;
  /** The insert position of the log, read after the snapshot: every transaction that the snapshot sees commits below it. */
  readonly insertLsn: Lsn;
  /**
   * The rows in chunks. The socket is read only while somebody waits for the next chunk, so that a slow consumer slows
   * the server down. Ends early when the pass is closed; check {@link complete} after it.
   *
   * @throws RelayError when the connection or the statement fails
   */
  rows(): AsyncIterable<readonly OutboxRow[]>;
  /** Whether all rows have been delivered up to the end of the table (and not only up to `maxRows`). */
  readonly complete: boolean;
  /** Ends the transaction, so that neither snapshot nor lock is held on. Idempotent; must always be called. */
  close(): Promise<void>;
}

/** Opens passes. */
export interface TableReader {
  /**
   * Begins a pass: transaction, lock, snapshot, insert position, and the flush that makes sure that a crash cannot
   * take back what is about to be published.
   *
   * @param signal gives the pass up, at whatever it waits for, until it has been closed
   * @throws RelayError `table_rewritten` when the lock is not to be had in time, `postgres_*` else
   */
  open(request: PassRequest, signal: AbortSignal): Promise<TablePass>;
  /** x0: assigns a transaction id in a transaction of its own and returns it (`pg_current_xact_id()`). */
  assignXid(): Promise<bigint>;
}

/** Tells which transactions are visible on the primary. */
export interface Visibility {
  /** A fresh snapshot. @throws RelayError `postgres_*` */
  snapshot(): Promise<Snapshot>;
}
