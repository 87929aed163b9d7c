import { RelayError } from '../core/errors.ts';
import type { Router } from '../core/routing.ts';
import type { RowRef } from '../core/row.ts';
import type { Auditor, LookCursor } from '../core/store.ts';
import type { Destination } from './destination.ts';
import { asRelayError } from './failure.ts';
import type { Outlet } from './outlet.ts';
import type { StreamHub } from './stream-hub.ts';
import type { RelayTelemetry } from './telemetry.ts';

/** Rows that a look walks past at most, whosever they are: the longest that one statement of the audit takes. */
const ROWS_A_LOOK = 10_000;
/** Of one audit; the next one goes on behind them. */
const LOOKS = 20;
/** Rows whose keys are looked at are read whole, so only some at a time. */
const ROWS_READ = 500;

/** A destination, as far as its audit is concerned. */
export interface AuditedDestination extends Pick<Destination, 'name' | 'dispatch'> {
  readonly state: Pick<Destination['state'], 'name'>;
  readonly standing: Pick<Destination['standing'], 'since'>;
  readonly outlet: Pick<Outlet, 'ledger' | 'parked'>;
}

/** What the audit of a destination is made of. */
export interface AuditParts {
  readonly auditor: Pick<Auditor, 'look' | 'stillThere' | 'rows'>;
  readonly destination: AuditedDestination;
  readonly stream: Pick<StreamHub, 'whenPassed'>;
  readonly router: Pick<Router, 'route'>;
  readonly telemetry: Pick<RelayTelemetry, 'stragglers' | 'failed'>;
  /** Reads the marks of parked rows again: a row may be there because its key has just been released. */
  readonly readParked: () => Promise<void>;
}

/**
 * The audit of a streaming destination: are there rows in the table that the stream has passed without delivering them?
 *
 * It looks at some rows of the table, notes the log's insert position, waits until the stream has passed it, and looks
 * again: a row that is still there and neither in flight nor parked, nor behind a parked row of its key, is a straggler.
 * None is normal; by age alone, late commits and clocks would raise false alarms. Stragglers send the destination to
 * catchup, which publishes them.
 *
 * It goes through the table from the bottom, so many rows at a time; where there are more than an audit looks at, those
 * that wait and those of destinations that are down, the next one goes on behind them. An audit that its destination leaves streaming under says nothing.
 */
export class DestinationAudit {
  readonly #parts: AuditParts;
  /** Where the next look goes on; null: at the bottom. */
  #next: LookCursor | null = null;

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /** One audit. Never rejects. */
  async run(): Promise<void> {
    const { destination, telemetry } = this.#parts;
    if (destination.state.name !== 'streaming') return;
    const begun = destination.standing.since;
    const stillStreaming = (): boolean =>
      destination.state.name === 'streaming' && destination.standing.since === begun;
    try {
      for (let look = 0; look < LOOKS && stillStreaming(); look++) {
        const more = await this.#look(stillStreaming);
        if (!more) return;
      }
    } catch (error) {
      telemetry.failed(asRelayError(error, 'auditing the outbox table'));
    }
  }

  /** Returns whether there is more to look at behind. */
  async #look(stillStreaming: () => boolean): Promise<boolean> {
    const { auditor, destination, stream, telemetry, readParked } = this.#parts;
    const { present, next, insertLsn } = await auditor.look(destination.name, ROWS_A_LOOK, this.#next);
    this.#next = next;
    if (present.length === 0) return next !== null;
    if (!(await stream.whenPassed(insertLsn))) return false;
    const stragglers = await this.#stragglersOf(present);
    if (stragglers.length === 0) return next !== null;
    await readParked();
    if (!stillStreaming()) return false;
    this.#next = null;
    telemetry.stragglers(stragglers.length);
    const first = stragglers[0];
    destination.dispatch({
      type: 'stragglers',
      error: new RelayError(
        'straggler_found',
        `${stragglers.length} rows were passed by the stream, the first at position ${first?.position} with id ${first?.id}`,
      ),
    });
    return false;
  }

  async #stragglersOf(present: readonly RowRef[]): Promise<readonly RowRef[]> {
    const { auditor, destination } = this.#parts;
    const { ledger, parked } = destination.outlet;
    // what is in flight now may be deleted while the second look runs: it is no straggler either way
    const suspects = present.filter((ref) => !ledger.has(ref));
    const there = (await auditor.stillThere(destination.name, suspects)).filter(
      (ref) => !ledger.has(ref) && !parked.leavesOut(ref, null),
    );
    return parked.size === 0 ? there : this.#withoutParkedKeys(there);
  }

  /**
   * Rows that wait behind a parked one of their key are none. SQL leaves them out where it can tell keys, but by the marks
   * that it sees: one that was written, or removed, while a look ran may be missing there though its key is left out here.
   */
  async #withoutParkedKeys(refs: readonly RowRef[]): Promise<readonly RowRef[]> {
    const { auditor, destination, router } = this.#parts;
    const { ledger, parked } = destination.outlet;
    const left: RowRef[] = [];
    for (let at = 0; at < refs.length; at += ROWS_READ) {
      for (const row of await auditor.rows(refs.slice(at, at + ROWS_READ))) {
        const routed = router.route(row);
        const key = routed.message === null ? routed.key : routed.message.key;
        const own = routed.destination === destination.name;
        if (own && !ledger.has(row) && !parked.leavesOut(row, key)) left.push({ position: row.position, id: row.id });
      }
    }
    return left;
  }
}
