import type { Lsn } from '../../../src/core/lsn.ts';
import type { OutboxRow, RowRef } from '../../../src/core/row.ts';
import type { FullXid } from '../../../src/core/snapshot.ts';

/** What can go wrong in the database, as probabilities for each occasion. */
export interface DatabaseFaults {
  readonly streamEnds: number;
  readonly openFails: number;
  readonly passFails: number;
  readonly settleFails: number;
  /** Marks of parked rows are not written, rows are not buried. */
  readonly parkFails: number;
}

export const NO_DATABASE_FAULTS: DatabaseFaults = {
  streamEnds: 0,
  openFails: 0,
  passFails: 0,
  settleFails: 0,
  parkFails: 0,
};

/** What of the routing the database knows. */
export interface SimulatedRouting {
  /** Whose row it is. */
  destinationOf(row: SimulatedRow): string;
  /** Whether passes leave out the keys behind parked rows, and not only these. */
  readonly keysInSql: boolean;
}

export interface Transaction {
  readonly xid: FullXid;
  readonly rows: SimulatedRow[];
  readonly keys: Set<string>;
  /** Set when the commit record is written; the transaction becomes visible later. */
  commitLsn: Lsn | null;
  ended: boolean;
}

export interface SimulatedRow extends RowRef {
  /** Null: no key, hence no order. */
  readonly key: string | null;
  /** Counts up with every row of the key, in commit order. */
  readonly version: number;
  readonly xid: FullXid;
}

export const byPosition = (a: RowRef, b: RowRef): number => Number(a.position - b.position);

export function toTableRow({ position, id, key, version }: SimulatedRow): OutboxRow {
  const values = [key === null ? null : Buffer.from(key), Buffer.from(String(version))];
  return { position, id, values, lane: 'table', xid: null, since: 0 };
}

export function toStreamRow(row: SimulatedRow): OutboxRow {
  return { ...toTableRow(row), lane: 'stream', xid: Number(BigInt.asUintN(32, row.xid)) };
}
