import type { RelayConfig } from '../../support/relay-child.ts';
import type { TcpProxy } from '../../support/services/tcp-proxy.ts';
import type { WrittenEvent } from '../../support/workload/transaction.ts';
import type { RoundPlan } from '../plan.ts';

export const BROKER_NAMES = ['kafka', 'rabbitmq'] as const;

export type BrokerName = (typeof BROKER_NAMES)[number];

/** What can be wrong with the place of a round while the broker is well; RabbitMQ's. */
export type Trouble = 'exchange-gone' | 'memory-alarm' | 'queue-full';

/** Where the messages of one round go. */
export interface Sink {
  /** The relay's `destinations` and `routes`. */
  readonly config: RelayConfig;
  /** The `debezium.sink` properties of the peer, and its topic. */
  readonly debezium: Readonly<Record<string, string>>;
  /** Reads all that has come so far, in its order per key. */
  arrived(): Promise<WrittenEvent[]>;
  /** Begins or mends a trouble. @throws when this kind of broker cannot have it */
  trouble(what: Trouble, on: boolean): Promise<void>;
}

/** A real broker behind a proxy. */
export interface Broker {
  readonly title: string;
  /** What relays connect through. */
  readonly proxy: TcpProxy;
  openSink(name: string, plan: RoundPlan): Promise<Sink>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  dispose(): Promise<void>;
}
