import type { BrokerName, Target } from '../brokers/broker.ts';

/** What a contestant is given. */
export interface Assignment {
  /** Of a database with the outbox table and its publication; the account is a superuser. */
  readonly postgresUrl: string;
  readonly target: Target;
  readonly rows: number;
  /** For its files; removed after the run. */
  readonly folder: string;
}

/** A process at work. */
export interface RunningContestant {
  readonly pid: number;
  /** Rejects, with the end of its output, when the process ends without having been stopped. */
  readonly ended: Promise<never>;
  /** Resolves when rows that are committed from now on are published as they come, by the log if it reads that. */
  untilStreaming(): Promise<void>;
  /** Ends it in its orderly way. @throws when it does not end so */
  stop(): Promise<void>;
  /** Kills it if it still runs. */
  dispose(): Promise<void>;
}

/** Somebody who does the work of a case: the relay, a peer of it, or the part of the work that sets the limit. */
export interface Contestant {
  /** As in the report: `outbox-relay`, `debezium`. */
  readonly name: string;
  /** `limit`: sends the same messages out of memory, without a database: what the client library and the machine give. */
  readonly role: 'relay' | 'peer' | 'limit';
  readonly brokers: readonly BrokerName[];
  /** Whether published rows are gone from the table at the end. */
  readonly deletes: boolean;
  /** Rows that wait in the table for another destination from the beginning, and stay there. */
  readonly otherRows: number;
  start(assignment: Assignment): Promise<RunningContestant>;
}
