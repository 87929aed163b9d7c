/** What `/status` reports, and `outbox-relay status` prints. Times are ISO 8601 in UTC; sizes are bytes. */
import type { ErrorCode } from './error-catalogue.ts';
import type { RelayError } from './errors.ts';

/** The states of a destination, in the order of its life. */
export const DESTINATION_STATES = ['down', 'catchup', 'handover', 'streaming', 'halted'] as const;

export type DestinationStateName = (typeof DESTINATION_STATES)[number];

/** The states of a destination's circuit breaker. */
export const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const;

export type CircuitStateName = (typeof CIRCUIT_STATES)[number];

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
  /** The slot of the stream that runs or is being opened; null while there is none. */
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

/** A transaction that the creation of a slot waits for. */
export interface BlockingTransaction {
  readonly xid: string;
  /** The server process that runs it; null for a prepared transaction. */
  readonly pid: number | null;
  /** Name of a prepared transaction; null for a running one. */
  readonly gid: string | null;
  /** As its session calls itself; null for a prepared transaction. */
  readonly applicationName: string | null;
  readonly role: string | null;
  readonly database: string | null;
  /** Since it began, or was prepared. */
  readonly ageSeconds: number;
  /** The relay's role may not see when it began (`pg_read_all_stats`): it is at least so old as it has been waited for. */
  readonly ageIsLowerBound: boolean;
}

/** A slot whose creation waits. */
export interface SlotWait {
  readonly slot: string;
  /** All such transactions one after the other; this is the present one. */
  readonly transaction: BlockingTransaction;
}

/** What is told of a slot beside what comes by it. Called at each look at it; must not throw. */
export interface SlotObserver {
  /** Null: there is no slot any more. */
  sampled(sample: SlotSample | null): void;
  /** Null: its creation waits for nothing, or is over. */
  waits(wait: SlotWait | null): void;
  /** Most of the log budget is used up; told once each time. */
  nearBudget(warning: RelayError): void;
}

/** What a destination holds at this moment. */
export interface DestinationGauges {
  readonly state: DestinationStateName;
  /** `open`: nothing is sent until a back-off is over; `half-open`: a session is tried, and has acknowledged nothing yet. */
  readonly circuit: CircuitStateName;
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

/** The lane by the log. */
export interface StreamStatus {
  /** Whether rows come by the log now; else by passes over the table. */
  readonly open: boolean;
  readonly slot: string | null;
  readonly since: string | null;
  /** Why there is none; null while it is open, and when nobody needs it. */
  readonly error: ReportedError | null;
  /** What the creation of the next slot waits for; null when it does not. */
  readonly waitsFor: BlockingTransaction | null;
}

/** The whole report. */
export interface StatusReport {
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly role: InstanceRole;
  readonly roleSince: string;
  readonly stream: StreamStatus;
  /** Empty unless leader. */
  readonly destinations: readonly DestinationStatus[];
  /** The last successful look; null before the first. */
  readonly lag: (LagSample & { readonly sampledAt: string }) | null;
  /** The latest errors, newest first. */
  readonly lastErrors: readonly (ReportedError & { readonly destination: string | null })[];
  /** Seconds since the relay's housekeeping last came round; null before it began. */
  readonly heartbeatAgeSeconds: number | null;
}
