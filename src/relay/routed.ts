import type { StreamedTransaction } from '../core/capture.ts';
import type { Lsn } from '../core/lsn.ts';
import type { Routed, Router } from '../core/routing.ts';

/** One destination's part of a streamed transaction. */
export interface RoutedTransaction {
  /** 32 bits, from the Begin message. */
  readonly xid: number;
  readonly commitLsn: Lsn;
  /** In insertion order; never empty. */
  readonly rows: readonly Routed[];
  /** What they take in memory. */
  readonly bytes: number;
}

/** Memory that is counted for a row that cannot become a message, beside its values. */
const FAULT_BYTES = 400;

/** What a routed row takes in memory, in bytes. */
export function routedBytes(routed: Routed): number {
  return routed.message === null ? FAULT_BYTES : routed.message.bytes;
}

/** Routes a transaction's rows and sorts them by destination. */
export function routeTransaction(
  router: Pick<Router, 'route'>,
  transaction: StreamedTransaction,
): ReadonlyMap<string, RoutedTransaction> {
  const rowsOf = new Map<string, Routed[]>();
  for (const row of transaction.rows) {
    const routed = router.route(row);
    const rows = rowsOf.get(routed.destination);
    if (rows === undefined) rowsOf.set(routed.destination, [routed]);
    else rows.push(routed);
  }
  const { xid, commitLsn } = transaction;
  const parts = new Map<string, RoutedTransaction>();
  for (const [destination, rows] of rowsOf) {
    const bytes = rows.reduce((sum, routed) => sum + routedBytes(routed), 0);
    parts.set(destination, { xid, commitLsn, rows, bytes });
  }
  return parts;
}
