import type { Lsn } from '../../../src/core/lsn.ts';
import { columnLayout, type OutboxRow, type RowRef } from '../../../src/core/row.ts';
import type { FullXid } from '../../../src/core/snapshot.ts';

export interface Transaction {
  readonly xid: FullXid;
  readonly rows: SimulatedRow[];
  readonly keys: Set<string>;
  /** Start of the record of its end, once that is written; a commit becomes visible later. */
  commitLsn: Lsn | null;
  /** Visible, or rolled back, or taken back by a crash. */
  ended: boolean;
  /** The publication leaves its rows out. */
  hidden: boolean;
  rolledBack: boolean;
  releaseLock: () => void;
}

export interface SimulatedRow extends RowRef {
  /** Null: no key, hence no order. */
  readonly key: string | null;
  readonly xid: FullXid;
}

export const LAYOUT = columnLayout(['aggregateid']);

export const byPosition = (a: RowRef, b: RowRef): number => Number(a.position - b.position);

export const low32 = (xid: FullXid): number => Number(BigInt.asUintN(32, xid));

export function toTableRow({ position, id, key }: SimulatedRow): OutboxRow {
  return { position, id, values: [key === null ? null : Buffer.from(key)], lane: 'table', xid: null, since: 0 };
}

export function toStreamRow(row: SimulatedRow): OutboxRow {
  return { ...toTableRow(row), lane: 'stream', xid: low32(row.xid) };
}
