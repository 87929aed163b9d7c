import type { BrokerName, Target } from '../brokers/broker.ts';
import type { RowShape } from '../rows.ts';

/** What a contestant is given. */
export interface Assignment {
  /** Of the run; fit for a slot. */
  readonly name: string;
  /** Of a database with the outbox table and its publication; the account is a superuser. */
  readonly postgresUrl: string;
  readonly target: Target;
  readonly rows: number;
  readonly shape: RowShape;
  /** For its files; removed after the run. */
  readonly folder: string;
}

/** A process at work, or several that do it together. */
export interface RunningContestant {
  readonly pids: readonly number[];
  /** Rejects when a process ends without having been stopped. */
  readonly ended: Promise<never>;
  /** The end of what it has printed. */
  output(): Promise<string>;
  /** Resolves when rows that are committed from now on are published as they come, by the log if it reads that. */
  untilStreaming(): Promise<void>;
  /** How many rows it has read; only for one that publishes nothing. */
  readonly progress?: () => Promise<number>;
  /** Ends it. @throws when it does not end as it should */
  stop(): Promise<void>;
  /** Kills it if it still runs. */
  dispose(): Promise<void>;
}

/** Somebody who does the work of a case: the relay, a peer of it, or the part of the work that sets the limit. */
export interface Contestant {
  /** As in the report: `outbox-relay`, `debezium`. */
  readonly name: string;
  /** A `limit` does one part of the work only: what the machine and the services give. */
  readonly role: 'relay' | 'peer' | 'limit';
  /** `all` of the work; `sends` the same messages out of memory; only `reads` the log. */
  readonly does: 'all' | 'sends' | 'reads';
  /** How its work is accounted for at the broker: `count` where its messages have no ids of ours. */
  readonly check: 'ids' | 'count' | 'none';
  readonly brokers: readonly BrokerName[];
  /** For one that would take too long: it gets no more rows than this. @default as many as the others */
  readonly mostRows?: number;
  /** Where its rows are written to. @default the relay's outbox */
  readonly table?: string;
  /** Whether published rows are gone from the table at the end. */
  readonly deletes: boolean;
  /** Rows that wait in the table for another destination from the beginning, and stay there. */
  readonly otherRows: number;
  /** Makes sure that all its parts are there. @throws when they are not to be had; the message says which */
  fetch(): Promise<unknown>;
  /** What must be there before the rows are written, such as a slot. */
  prepare?(assignment: Assignment): Promise<void>;
  start(assignment: Assignment): Promise<RunningContestant>;
}
