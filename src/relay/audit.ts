import { RelayError } from '../core/errors.ts';
import type { RowRef } from '../core/row.ts';
import type { Auditor } from '../core/store.ts';
import type { Destination } from './destination.ts';
import { asRelayError } from './failure.ts';
import type { StreamHub } from './stream-hub.ts';
import type { RelayTelemetry } from './telemetry.ts';

const ROWS_A_LOOK = 10_000;

/**
 * The audit of a streaming destination: are there rows in the table that the stream has passed without delivering them?
 *
 * It looks at the lowest rows of the table, notes the log's insert position, waits until the stream has passed it, and
 * looks again: a row that is still there and neither in flight nor parked is a straggler. None is normal; by age alone,
 * late commits and clocks would raise false alarms. Stragglers send the destination to catchup, which publishes them.
 *
 * An audit that its destination leaves streaming under says nothing.
 *
 * @param readParked reads the marks of parked rows again: a row may be there because its key has just been released
 */
export async function auditDestination(
  auditor: Auditor,
  destination: Destination,
  stream: StreamHub,
  telemetry: RelayTelemetry,
  readParked: () => Promise<void>,
): Promise<void> {
  if (destination.state.name !== 'streaming') return;
  const begun = destination.standing.since;
  const { ledger, parked } = destination.outlet;
  const stillStreaming = (): boolean => destination.state.name === 'streaming' && destination.standing.since === begun;
  try {
    const { present, insertLsn } = await auditor.look(destination.name, ROWS_A_LOOK);
    if (present.length === 0 || !(await stream.whenPassed(insertLsn))) return;
    // what is in flight now may be deleted while the second look runs: it is no straggler either way
    const suspects = present.filter((ref) => !ledger.has(ref));
    // rows behind a parked one would look like stragglers where the second look cannot leave them out
    const leftOut = auditor.leavesOutParkedKeys(destination.name) ? parked.allWritten : parked.size === 0;
    if (suspects.length === 0 || !leftOut) return;
    const stragglers = notInFlight(await auditor.stillThere(destination.name, suspects), destination);
    if (stragglers.length === 0) return;
    await readParked();
    if (!stillStreaming()) return;
    telemetry.stragglers(stragglers.length);
    const first = stragglers[0];
    destination.dispatch({
      type: 'stragglers',
      error: new RelayError(
        'straggler_found',
        `${stragglers.length} rows were passed by the stream, the first at position ${first?.position} with id ${first?.id}`,
      ),
    });
  } catch (error) {
    telemetry.failed(asRelayError(error, 'auditing the outbox table'));
  }
}

function notInFlight(refs: readonly RowRef[], destination: Destination): readonly RowRef[] {
  const { ledger, parked } = destination.outlet;
  return refs.filter((ref) => !ledger.has(ref) && !parked.leavesOut(ref, null));
}
