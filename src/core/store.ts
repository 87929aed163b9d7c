/** The outbox table as the relay writes to it: deletions, parked rows, the audit. */
import type { Lsn } from './lsn.ts';
import type { Address } from './message.ts';
import type { OutboxRow, RowRef } from './row.ts';

/** A published row that is to be deleted. */
export interface PublishedRow extends RowRef {
  /** 32-bit id of the inserting transaction for a streamed row; null for a row that a pass has seen. */
  readonly xid: number | null;
  /** Only where published ids are kept. */
  readonly delivery?: Delivery | undefined;
}

/** What a broker acknowledged of a row, as it is kept beside the id where published ids are kept. */
export interface Delivery {
  readonly destination: string;
  readonly address: Address;
  readonly key: string | null;
}

/** What became of published rows in one delete statement. */
export interface SettleResult<Row extends PublishedRow = PublishedRow> {
  /** How many were deleted. */
  readonly deleted: number;
  /** Not there and their transaction not visible yet: to be tried again, for ever. */
  readonly notYetVisible: readonly Row[];
  /** Not there although visible: somebody else removed them. */
  readonly missing: readonly Row[];
  /** Locked by another session for longer than a statement may wait: to be tried again, apart from the others. */
  readonly locked: readonly Row[];
  /** Visible, still there and not deleted: a policy or trigger stands in the way, or another session has them locked for deletion. */
  readonly blocked: readonly Row[];
}

/** Deletes what was published. */
export interface Settler {
  /**
   * Deletes rows by position and id in one statement.
   *
   * @throws RelayError `postgres_*`: then nothing is known, and the same rows can be given again
   */
  settle<Row extends PublishedRow>(rows: readonly Row[]): Promise<SettleResult<Row>>;
}

/** Why a row is set aside: the mark in `<table>_parked`. The row itself stays in the outbox. */
export interface ParkedMark extends RowRef {
  readonly destination: string;
  /** The message key, which waits with the row; null when the row has none (or none could be determined). */
  readonly key: string | null;
  readonly code: string;
  /** In words; never the payload. At most 2000 characters are kept. */
  readonly reason: string;
  /** How often the row was refused, this time included. */
  readonly attempts: number;
}

/** What is kept in memory of a parked row. */
export type ParkedRef = Pick<ParkedMark, 'position' | 'id' | 'destination' | 'key' | 'attempts'>;

/** The parked rows. */
export interface ParkedStore {
  /** All marks. */
  load(): Promise<readonly ParkedRef[]>;
  /** Sets rows aside, each named once; one that is parked already gets one more attempt counted, and the new reason. */
  park(marks: readonly ParkedMark[]): Promise<void>;
  /**
   * Deletes a row and its mark, if there is one, in one transaction: after its dead letter was acknowledged. Where
   * published ids are kept, the row's `delivery` is that of the dead letter.
   *
   * @returns false while the row's transaction is not visible yet: to be tried again, for ever
   * @throws RelayError `delete_blocked` when a policy or trigger keeps the row; its mark then stays too
   */
  bury(row: PublishedRow): Promise<boolean>;
}

/** Where a look goes on: behind one position, up to another. */
export interface LookCursor {
  readonly after: bigint;
  readonly until: bigint;
}

/** What a look found. */
export interface Look {
  /** The destination's among the rows that were looked at, lowest position first, without parked rows and keys. */
  readonly present: readonly RowRef[];
  /** Where to go on; null at the end. */
  readonly next: LookCursor | null;
  /** The insert position of the log, read after the rows. */
  readonly insertLsn: Lsn;
}

/** The audit's looks at the table: it finds rows that the stream should have delivered and did not. */
export interface Auditor {
  /**
   * Whether rows that wait behind a parked key of the destination are left out. Not so when the key is a template that
   * SQL cannot compute.
   */
  leavesOutParkedKeys(destination: string): boolean;
  /**
   * Looks at the next `limit` rows of the table, whosever they are: a look costs the same however many of them belong to
   * a destination that is down. Going on from `next` until that is null, a round, looks at every row that is in the table
   * during the whole of it; what is inserted meanwhile is for the next round, so that a round ends.
   *
   * @param from null: at the bottom
   */
  look(destination: string, limit: number, from: LookCursor | null): Promise<Look>;
  /** Which of these are still there, parked rows and keys left out again. */
  stillThere(destination: string, refs: readonly RowRef[]): Promise<readonly RowRef[]>;
  /** Those of these rows that are still there, with all that is read of them. */
  rows(refs: readonly RowRef[]): Promise<readonly OutboxRow[]>;
}
