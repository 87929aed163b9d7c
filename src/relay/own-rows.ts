import type { Routed, Router } from '../core/routing.ts';
import type { OutboxRow } from '../core/row.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { PassOutcome } from './pass.ts';

/** What is known of a destination, to tell its rows. */
export interface OwnRowsParts {
  readonly destination: string;
  readonly router: Router;
  readonly parked: ParkedKeys;
  /** Whether the reader leaves out in SQL the rows that wait behind a parked key. */
  readonly keysInSql: boolean;
}

/**
 * Which of the rows that a pass reads are the destination's to publish.
 *
 * Rows behind a parked key must not count against a pass's bound, or no pass would get past many of them. SQL leaves out
 * those whose marks are in the table. A mark may be gone from there (`outbox-relay parked retry`) a while before this relay
 * hears of it: SQL then reads the rows of its key, which are still left out here. A pass that met nothing else has to be
 * followed by passes that look for themselves, until the key is let in.
 */
export class OwnRows {
  readonly #parts: OwnRowsParts;
  #starved = false;

  constructor(parts: OwnRowsParts) {
    this.#parts = parts;
  }

  /** A pass begins, before its snapshot: keys that were released are let in. */
  beginPass(): void {
    const { parked } = this.#parts;
    const before = parked.size;
    parked.applyReleases();
    if (parked.size < before) this.#starved = false;
  }

  /** What a pass leaves out by itself; undefined where SQL does. To be asked after {@link beginPass}. */
  wanted(): ((row: OutboxRow) => boolean) | undefined {
    const { keysInSql, parked, router } = this.#parts;
    if (parked.size === 0 || (keysInSql && parked.allWritten && !this.#starved)) return undefined;
    return (row) => {
      const routed = router.route(row);
      return !parked.leavesOut(row, routed.message === null ? routed.key : routed.message.key);
    };
  }

  passEnded({ complete, taken }: PassOutcome): void {
    if (!complete && taken === 0) this.#starved = true;
  }

  /** Those that are routed to the destination, with their messages. */
  routed(rows: readonly OutboxRow[]): readonly Routed[] {
    const own: Routed[] = [];
    for (const row of rows) {
      const routed = this.#parts.router.route(row);
      if (routed.destination === this.#parts.destination) own.push(routed);
    }
    return own;
  }
}
