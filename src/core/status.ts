/** What `/status` reports, and `outbox-relay status` prints. Times are ISO 8601 in UTC; sizes are bytes. */
import type { ErrorCode } from './error-catalogue.ts';

/** The states of a destination, in the order of its life. */
export const DESTINATION_STATES = ['down', 'catchup', 'handover', 'streaming', 'halted'] as const;

export type DestinationStateName = (typeof DESTINATION_STATES)[number];

/** What an instance does: only the leader publishes. */
export type InstanceRole = 'starting' | 'standby' | 'leader' | 'stopping';

/** How much of the outbox is unpublished, as one look at the table and the slot told. */
export interface LagSample {
  /** Age of the oldest row that is neither published nor parked, in seconds; 0 when none waits, null when the table does not tell. */
  readonly oldestUnpublishedSeconds: number | null;
  /** Rows that are neither published nor parked; counted only so far as `waitingRowsCapped` says. */
  readonly waitingRows: number;
  /** There are at least `waitingRows`: counting stopped there. */
  readonly waitingRowsCapped: boolean;
  /** The slot of the running stream; null while there is none. */
  readonly slot: SlotSample | null;
}

/** The relay's replication slot as Postgres reports it. */
export interface SlotSample {
  readonly name: string;
  /** Log that the slot makes the server keep, in bytes. */
  readonly retainedBytes: number;
  /** `pg_replication_slots.wal_status`: `reserved`, `extended`, `unreserved` or `lost`. */
  readonly walStatus: string;
}

/** What a destination holds at this moment. */
export interface DestinationGauges {
  readonly state: DestinationStateName;
  /** Messages with the publisher, not yet acknowledged. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Rows acknowledged and not yet deleted. */
  readonly undeletedRows: number;
  /** What is held from the stream during a handover. */
  readonly heldBytes: number;
  /** Rows set aside; the keys behind them wait. */
  readonly parkedRows: number;
}

/** An error as it is reported: never a payload, never a secret. */
export interface ReportedError {
  readonly at: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

/** One destination's part of the report. */
export interface DestinationStatus extends DestinationGauges {
  readonly name: string;
  /** When the state was entered. */
  readonly since: string;
  /** What led to the state: the event of the last transition; null before the first. */
  readonly reason: string | null;
  /** The error behind the last transition. */
  readonly error: ReportedError | null;
}

/** The whole report. */
export interface StatusReport {
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly role: InstanceRole;
  readonly roleSince: string;
  /** Whether rows come by the log now; else by passes over the table. */
  readonly stream: { readonly open: boolean; readonly slot: string | null; readonly since: string | null };
  /** Empty unless leader. */
  readonly destinations: readonly DestinationStatus[];
  /** The last successful look; null before the first. */
  readonly lag: (LagSample & { readonly sampledAt: string }) | null;
  /** The latest errors, newest first. */
  readonly lastErrors: readonly (ReportedError & { readonly destination: string | null })[];
  /** Seconds since the relay's housekeeping last came round; null before it began. */
  readonly heartbeatAgeSeconds: number | null;
}
