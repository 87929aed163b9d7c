import type { TableReader } from '../core/capture.ts';
import type { Lsn } from '../core/lsn.ts';
import type { OutboxRow } from '../core/row.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Room } from './room.ts';
import type { Trial } from './trial.ts';

/** What a pass needs of its destination. */
export interface PassHost {
  readonly destination: string;
  readonly reader: TableReader;
  readonly room: Room;
  readonly trial: Pick<Trial, 'wait' | 'allowance'>;
  /** Rows in flight, which the pass meets and leaves out. */
  inFlight(): number;
  /** Hands rows to the publisher, but for those left out. Returns how many were taken. */
  take(rows: readonly OutboxRow[]): number;
  /** Which rows are taken, where SQL cannot leave out the others; undefined where it can. Asked at the pass's beginning. */
  wanted(): ((row: OutboxRow) => boolean) | undefined;
  /** The pass begins: called before its snapshot is taken. */
  begin(): void;
}

/** How far a pass goes. */
export interface PassBounds {
  /** Rows taken at most. */
  readonly rows: number;
  /** How long the snapshot and the lock may be held, in milliseconds. */
  readonly timeMs: number;
}

/** What came of a pass. */
export interface PassOutcome {
  /** Every wanted row of the snapshot was taken. */
  readonly complete: boolean;
  readonly snapshot: Snapshot;
  readonly insertLsn: Lsn;
  readonly taken: number;
}

/**
 * One pass: takes the destination's rows of one snapshot in position order, up to its bounds.
 *
 * Waiting for room happens before the transaction begins. Inside of it the pass waits for room only until its time is
 * up, and is then cut short, so that a slow broker never holds a snapshot and a lock: what was taken is a prefix of the
 * snapshot, and the next pass begins at the bottom again.
 *
 * @param signal cancels; the promise then rejects with the signal's reason
 */
export async function runPass(host: PassHost, bounds: PassBounds, signal: AbortSignal): Promise<PassOutcome> {
  await host.room.wait(signal);
  await host.trial.wait(signal);
  signal.throwIfAborted();
  host.begin();
  const wanted = host.wanted();
  const maxRows = Math.max(1, Math.min(bounds.rows, host.trial.allowance));
  const pass = await host.reader.open(
    {
      destination: host.destination,
      maxRows: maxRows + host.inFlight(),
      ...(wanted === undefined ? {} : { wanted }),
    },
    signal,
  );
  // not by AbortSignal.any(), under which a timeout is forgotten at the next garbage collection (Node 20)
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, bounds.timeMs);
  signal.addEventListener('abort', end, { once: true });
  let taken = 0;
  let cut = false;
  try {
    for await (const rows of pass.rows()) {
      signal.throwIfAborted();
      taken += host.take(rows);
      await host.room.wait(over.signal);
      if (over.signal.aborted || taken >= maxRows) {
        cut = true;
        break;
      }
    }
    signal.throwIfAborted();
    return { complete: pass.complete && !cut, snapshot: pass.snapshot, insertLsn: pass.insertLsn, taken };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    await pass.close();
  }
}
