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
  /** Age of the oldest row that is neither published nor parked, in seconds by the database's clock; 0 when none waits. */
  readonly oldestUnpublishedSeconds: number;
  /** Rows that are neither published nor parked. */
  readonly waitingRows: number;
  /** There are too many to be counted: `waitingRows` is what the statistics of Postgres tell. */
  readonly waitingRowsEstimated: boolean;
  /** Rows that are set aside, of all destinations; counted only so far. */
  readonly parkedRows: number;
  /** The same by destination, without those that are not known since the rows before theirs are too many. */
  readonly destinations: readonly DestinationLag[];
  /** The slot of the stream that runs or is being opened; null while there is none. */
  readonly slot: SlotSample | null;
}

/** How much of what is routed to one destination is unpublished. */
export interface DestinationLag {
  readonly name: string;
  readonly oldestUnpublishedSeconds: number;
  /** At least so many, when {@link LagSample.waitingRowsEstimated}. */
  readonly waitingRows: number;
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

/** What a destination has published since the process began, as `published_total` tells it. */
export interface Throughput {
  readonly publishedRows: number;
  /** Over the last ten seconds or so; null when the process is younger than that. */
  readonly rowsPerSecond: number | null;
}

/** One destination's part of the report. */
export interface DestinationStatus extends DestinationGauges, Throughput {
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

/** An instance that stands for election. */
export interface InstanceSample {
  /** As it calls itself: host name and process id; null when this role may not see it (`pg_read_all_stats`). */
  readonly name: string | null;
  /** The address that it connects to Postgres from; null for a socket, or when it may not be seen. */
  readonly address: string | null;
  readonly leads: boolean;
  /** When it connected; null when it may not be seen. */
  readonly since: string | null;
}

/** One of the shards into which the outbox is shared out. */
export interface ShardStatus {
  readonly shard: number;
  /** Whether this instance publishes its rows. */
  readonly leads: boolean;
  /** Whether any instance has its leader lock; null before it has been looked at. */
  readonly led: boolean | null;
  /** Who leads it, or did so last: host name and process id; null when nobody has. */
  readonly holder: string | null;
  /** Of the destinations, by name; empty unless this instance leads it. */
  readonly states: Readonly<Record<string, DestinationStateName>>;
}

/** How urgent something is, the least first. `working`: not as it should stay, and on its way there. */
export const SEVERITIES = ['ok', 'working', 'warning', 'critical'] as const;

export type Severity = (typeof SEVERITIES)[number];

/** One thing to be said about the state. */
export interface StatusReason {
  readonly severity: Severity;
  readonly text: string;
  /** The destination that it is about; null: the instance. */
  readonly destination: string | null;
  readonly code: ErrorCode | null;
  /** What to do about it; null where there is nothing to do. */
  readonly remedy: string | null;
  readonly since: string | null;
}

/** The state in a few words, and why. */
export interface StatusSummary {
  readonly severity: Severity;
  readonly title: string;
  /** The most urgent first. */
  readonly reasons: readonly StatusReason[];
}

/** The facts of the report; {@link StatusReport} sums them up. */
export interface StatusFacts {
  readonly version: string;
  /** This instance, as others see it: host name and process id. */
  readonly instance: string;
  /** How rows are found, as it is configured (`capture.mode`). */
  readonly captureMode: 'auto' | 'replication' | 'polling';
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly role: InstanceRole;
  readonly roleSince: string;
  readonly stream: StreamStatus;
  /** Empty unless leader. Of several shards the sums, and the states of those that are furthest from streaming. */
  readonly destinations: readonly DestinationStatus[];
  /** Empty where there is one shard. */
  readonly shards: readonly ShardStatus[];
  /** The last successful look; null before the first. */
  readonly lag: (LagSample & { readonly sampledAt: string }) | null;
  /** Since that look, in seconds; null before the first. */
  readonly lagAgeSeconds: number | null;
  /** How much log the slot may retain before the stream is closed, in bytes; null when there never is one. */
  readonly walBudgetBytes: number | null;
  /** Those that stand for election at this outbox and shard; null while that is not known. */
  readonly instances: readonly InstanceSample[] | null;
  /** The latest errors, newest first. */
  readonly lastErrors: readonly (ReportedError & { readonly destination: string | null })[];
  /** Seconds since the relay's housekeeping last came round; null before it began. */
  readonly heartbeatAgeSeconds: number | null;
}

/** The whole report. */
export interface StatusReport extends StatusFacts {
  readonly summary: StatusSummary;
}
