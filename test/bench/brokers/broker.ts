import type { Arrivals } from '../measure/arrivals.ts';

/** The brokers that can be published to. */
export const BROKER_NAMES = ['kafka', 'rabbitmq'] as const;

export type BrokerName = (typeof BROKER_NAMES)[number];

/** Where a run publishes to, in the words of the broker. */
export type Target =
  | {
      readonly broker: 'kafka';
      readonly brokers: readonly string[];
      /** What the names of all topics begin with; each ends with a value of `aggregatetype`. */
      readonly topicPrefix: string;
      readonly topics: readonly string[];
      readonly partitions: number;
    }
  | { readonly broker: 'rabbitmq'; readonly url: string; readonly exchange: string; readonly queue: string };

/** What a run will bring. */
export interface Expected {
  /** Numbers above it, and repeated ones, count as strangers and duplicates. */
  readonly rows: number;
  readonly types: readonly string[];
}

/** The topics or the queue of one run, empty at its beginning. */
export interface Sink {
  readonly target: Target;
  /** How many messages have come so far. */
  count(): Promise<number>;
  /**
   * From now on messages are taken as they come, where the broker does not itself note when they came. Without it they
   * are read by {@link collect}, and cost the run nothing.
   */
  listen(): Promise<void>;
  /** Reads everything that has come. @param check `count` where messages have no ids */
  collect(check: 'ids' | 'count'): Promise<Arrivals>;
  close(): Promise<void>;
}

/** A broker that all runs share. */
export interface Broker {
  readonly name: BrokerName;
  /** With its version, for the report. */
  readonly title: string;
  openSink(name: string, expected: Expected): Promise<Sink>;
  /** SIGTERM: a quorum queue of a single node does not always come back after SIGKILL. */
  stop(): Promise<void>;
  /** Starts it again after {@link stop}. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  dispose(): Promise<void>;
}
