import type { DestinationStatus, StatusFacts, StatusReport } from '../../src/core/status.ts';
import { summarize } from '../../src/core/status-summary.ts';

const AT = '2026-01-01T00:00:00.000Z';

/** A destination that streams, but for these fields. */
export function destinationStatus(fields: Partial<DestinationStatus> = {}): DestinationStatus {
  return {
    name: 'kafka',
    state: 'streaming',
    circuit: 'closed',
    inFlightMessages: 0,
    inFlightBytes: 0,
    undeletedRows: 0,
    heldBytes: 0,
    parkedRows: 0,
    publishedRows: 0,
    rowsPerSecond: null,
    since: AT,
    reason: null,
    error: null,
    ...fields,
  };
}

/** The facts of a leader that publishes, but for these. */
export function statusFacts(fields: Partial<StatusFacts> = {}): StatusFacts {
  return {
    version: '1.2.3',
    instance: 'here 1',
    captureMode: 'auto',
    startedAt: AT,
    uptimeSeconds: 60,
    role: 'leader',
    roleSince: AT,
    stream: { open: true, slot: 'outbox_relay_0_1', since: AT, error: null, waitsFor: null },
    destinations: [destinationStatus()],
    shards: [],
    lag: {
      oldestUnpublishedSeconds: 0,
      waitingRows: 0,
      waitingRowsEstimated: false,
      destinations: [],
      parkedRows: 0,
      slot: { name: 'outbox_relay_0_1', retainedBytes: 1000, walStatus: 'reserved' },
      sampledAt: AT,
    },
    lagAgeSeconds: 1,
    walBudgetBytes: 1_000_000,
    instances: [{ name: 'here 1', address: '10.0.0.1', leads: true, since: AT }],
    lastErrors: [],
    heartbeatAgeSeconds: 1,
    ...fields,
  };
}

/** The report of these facts. */
export function statusReport(fields: Partial<StatusFacts> = {}): StatusReport {
  const facts = statusFacts(fields);
  return { summary: summarize(facts), ...facts };
}
