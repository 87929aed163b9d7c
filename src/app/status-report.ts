import type { InstanceRole, StatusReport } from '../core/status.ts';
import type { Journal } from '../observe/journal.ts';
import type { DestinationReading } from '../observe/telemetry.ts';
import { circuitOf } from '../relay/circuit.ts';
import type { Relay } from '../relay/relay.ts';

/** What the destinations of a relay hold at this moment. */
export function readDestinations(relay: Relay): readonly DestinationReading[] {
  return relay.destinations.map(({ name, state, outlet, heldBytes }) => ({
    name,
    state: state.name,
    circuit: circuitOf(state),
    inFlightMessages: outlet.ledger.sent,
    inFlightBytes: outlet.ledger.sentBytes,
    undeletedRows: outlet.ledger.undeleted,
    heldBytes,
    parkedRows: outlet.parked.size,
  }));
}

/** What the report is made of beside the journal. */
export interface ReportSources {
  readonly version: string;
  readonly startedAt: number;
  readonly role: InstanceRole;
  readonly roleSince: number;
  readonly destinations: readonly DestinationReading[];
  readonly journal: Journal;
  readonly heartbeatAgeSeconds: number | null;
}

/** Composes what `/status` tells. */
export function statusReport(sources: ReportSources): StatusReport {
  const { version, startedAt, role, roleSince, journal, heartbeatAgeSeconds } = sources;
  const started = new Date(startedAt).toISOString();
  return {
    version,
    startedAt: started,
    uptimeSeconds: (Date.now() - startedAt) / 1000,
    role,
    roleSince: new Date(roleSince).toISOString(),
    stream: journal.stream,
    destinations: sources.destinations.map((reading) => ({
      ...(journal.lastTransition(reading.name) ?? { since: started, reason: null, error: null }),
      ...reading,
    })),
    lag: journal.lag,
    lastErrors: journal.lastErrors,
    heartbeatAgeSeconds,
  };
}
