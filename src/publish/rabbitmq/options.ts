import type { Renewable } from '../../core/renewal.ts';
import type { TlsOptions } from '../../core/tls.ts';

/** What proves who connects to whom; looked up again for every connection. */
export interface RabbitmqCredentials {
  readonly user: string;
  readonly password: string;
  /** TLS to the broker, or null for plain TCP. */
  readonly tls: TlsOptions | null;
}

/** A RabbitMQ destination, as the publisher wants it: times in milliseconds. The configuration's type is assignable to this. */
export interface RabbitmqOptions extends RabbitmqCredentials, Renewable<RabbitmqCredentials> {
  /** Tried in order; the first that answers is taken. */
  readonly hosts: readonly RabbitmqHost[];
  readonly vhost: string;
  /** Seconds between heartbeats; a silent broker is given up after three of them. */
  readonly heartbeat: number;
  /**
   * `strict`: at most one unconfirmed message per key, the only rule by which a refused message never lets a later one
   * of its key go first. `relaxed`: any number per key, faster for few keys; after a nack, a return or a closed
   * channel, later messages of the key may already be in the queue, so that order per key is lost there.
   */
  readonly ordering: 'strict' | 'relaxed';
  /** What may be unconfirmed at a time; a single message may have more bytes. */
  readonly window: { readonly messages: number; readonly bytes: number };
  /** How long a confirm may take, time under an alarm of the broker not counted. */
  readonly confirmTimeout: number;
  /** How long connecting and logging in may take for each host, and each question to the broker afterwards. */
  readonly connectTimeout: number;
  /** How long a message that no queue takes is tried again before it is refused; its key waits. */
  readonly unroutableRetry: number;
  /** Exchanges to declare when connecting. */
  readonly declareExchanges: readonly ExchangeDeclaration[];
  /** Queues to declare or to look for when connecting. */
  readonly queues: readonly QueueDeclaration[];
  /**
   * The management API, `http://host:15672`, to find queues that discard confirmed messages: by `check`, and whenever
   * a session is opened. The login is that of `user` unless the URL has its own. Null: `check` tries its usual port.
   */
  readonly managementUrl: string | null;
  /** The `app_id` of every message, and what the connection is called in the broker's lists. */
  readonly appId: string;
}

export interface RabbitmqHost {
  readonly host: string;
  readonly port: number;
}

/** Arguments of an exchange or queue, such as `x-queue-type`. */
export type BrokerArguments = Readonly<Record<string, string | number | boolean>>;

export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly arguments: BrokerArguments;
}

export interface QueueDeclaration {
  readonly name: string;
  /** False: the queue must be there already. */
  readonly declare: boolean;
  readonly durable: boolean;
  readonly arguments: BrokerArguments;
  /** Bindings to declare with it. */
  readonly bindings: readonly { readonly exchange: string; readonly routingKey: string }[];
}

/** What a destination has where its configuration says nothing. */
export const RABBITMQ_DEFAULTS = {
  vhost: '/',
  user: 'guest',
  password: 'guest',
  tls: null,
  heartbeat: 10,
  ordering: 'strict',
  window: { messages: 1000, bytes: 16 * 1024 * 1024 },
  confirmTimeout: 30_000,
  connectTimeout: 15_000,
  unroutableRetry: 30_000,
  declareExchanges: [],
  queues: [],
  managementUrl: null,
  appId: 'outbox-relay',
} as const satisfies Omit<RabbitmqOptions, 'hosts'>;
