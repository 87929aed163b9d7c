import type { Arrivals } from '../measure/arrivals.ts';

/** The brokers that can be published to. */
export const BROKER_NAMES = ['kafka', 'rabbitmq'] as const;

export type BrokerName = (typeof BROKER_NAMES)[number];

/** Where a run publishes to, in the words of the broker. */
export type Target =
  | {
      readonly broker: 'kafka';
      readonly brokers: readonly string[];
      readonly topic: string;
      readonly partitions: number;
    }
  | { readonly broker: 'rabbitmq'; readonly url: string; readonly exchange: string; readonly queue: string };

/** A topic or queue of one run, empty at its beginning. */
export interface Sink {
  readonly target: Target;
  /** How many messages have come so far. */
  count(): Promise<number>;
  /**
   * From now on messages are taken as they come, where the broker does not itself note when they came. Without it they
   * are read by {@link collect}, and cost the run nothing.
   */
  listen(): Promise<void>;
  /** Reads everything that has come. */
  collect(): Promise<Arrivals>;
  close(): Promise<void>;
}

/** A broker that all runs share. */
export interface Broker {
  readonly name: BrokerName;
  /** With its version, for the report. */
  readonly title: string;
  /** @param rows numbers above it, and repeated ones, count as strangers and duplicates */
  openSink(name: string, rows: number): Promise<Sink>;
  dispose(): Promise<void>;
}
