/**
 * Postgres snapshots as the relay uses them: to decide whether a transaction seen in the log had already been seen by
 * a pass over the table.
 *
 * Rules (PostgreSQL manual, 9.28.12 "Transaction ID and Snapshot Information Functions"): a snapshot
 * `xmin:xmax:xip_list` sees a transaction when its id is below `xmax` and not in the list. `pg_current_snapshot()`
 * lists top-level ids only, which is what a Begin message of pgoutput carries; the `xmin` system column of a row may
 * hold a subtransaction's id and must never be compared with it.
 */

/** A full, 64-bit transaction id (`xid8`): the 32-bit id with its epoch. */
export type FullXid = bigint;

/** The value of `pg_current_snapshot()`. */
export interface Snapshot {
  /** The lowest id that was still running: every lower one has ended. */
  readonly xmin: FullXid;
  /** One past the highest id that had ended: this one and all above had not. */
  readonly xmax: FullXid;
  /** The ids from `xmin` up to, not including, `xmax` that were still running. */
  readonly running: ReadonlySet<FullXid>;
}

const SNAPSHOT_TEXT = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/;

/**
 * Parses the text form of a `pg_snapshot`, for instance `10:20:10,14,15`.
 *
 * @throws RangeError when the text has another form
 */
export function parseSnapshot(text: string): Snapshot {
  const match = SNAPSHOT_TEXT.exec(text);
  if (match === null) throw new RangeError(`not a snapshot: '${text}' (expected the form 10:20:10,14)`);
  const list = match[3] ?? '';
  return {
    xmin: BigInt(match[1] ?? 0),
    xmax: BigInt(match[2] ?? 0),
    running: new Set(list === '' ? [] : list.split(',').map((xid) => BigInt(xid))),
  };
}

/**
 * Widens a 32-bit id from a Begin message to a full id, taking the one nearest to `near`.
 *
 * By signed distance and not by pasting the epoch of `near`: ids on both sides of a wrap-around are then right, as
 * long as they lie within 2^31 of each other, which Postgres itself enforces for running transactions.
 *
 * @param xid 32 bits, unsigned
 * @param near a full id of about the same time, such as a current snapshot's `xmax`
 */
export function widenXid(xid: number, near: FullXid): FullXid {
  return near + BigInt.asIntN(32, BigInt(xid) - near);
}

/** Whether `snapshot` sees the (committed) top-level transaction `xid`. */
export function isVisible(snapshot: Snapshot, xid: FullXid): boolean {
  if (xid < snapshot.xmin) return true;
  return xid < snapshot.xmax && !snapshot.running.has(xid);
}

/** Whether `snapshot` sees the transaction whose Begin message carried the 32-bit id `xid`. */
export function seesTransaction(snapshot: Snapshot, xid: number): boolean {
  return isVisible(snapshot, widenXid(xid, snapshot.xmax));
}
