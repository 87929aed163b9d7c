import type { InstanceRole, StatusFacts, StatusReport } from '../core/status.ts';
import { summarize } from '../core/status-summary.ts';
import type { DestinationReading, Telemetry } from '../observe/telemetry.ts';
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

/** What the report is made of beside what the telemetry remembers. */
export interface ReportSources {
  readonly version: string;
  readonly instance: string;
  readonly captureMode: StatusFacts['captureMode'];
  readonly walBudgetBytes: number | null;
  readonly startedAt: number;
  readonly role: InstanceRole;
  readonly roleSince: number;
  readonly destinations: readonly DestinationReading[];
  readonly telemetry: Telemetry;
  readonly heartbeatAgeSeconds: number | null;
}

/** Composes what `/status` tells. */
export function statusReport({ telemetry, startedAt, roleSince, destinations, ...told }: ReportSources): StatusReport {
  const { journal } = telemetry;
  const started = new Date(startedAt).toISOString();
  const facts: StatusFacts = {
    ...told,
    startedAt: started,
    uptimeSeconds: (Date.now() - startedAt) / 1000,
    roleSince: new Date(roleSince).toISOString(),
    stream: journal.stream,
    destinations: destinations.map((reading) => ({
      ...(journal.lastTransition(reading.name) ?? { since: started, reason: null, error: null }),
      ...reading,
      ...telemetry.throughput(reading.name),
    })),
    lag: journal.lag,
    lagAgeSeconds: journal.lagAgeSeconds,
    instances: journal.instances,
    lastErrors: journal.lastErrors,
  };
  return { summary: summarize(facts), ...facts };
}
