import type { TlsOptions } from '../../core/tls.ts';

/** A Kafka destination, as the publisher wants it. The configuration's type is assignable to this. */
export interface KafkaOptions {
  /**
   * How requests are made: `direct` writes them itself, over the connections of `@platformatic/kafka`; `platformatic` and
   * `kafkajs` leave them to the client library of that name.
   */
  readonly driver: KafkaDriverName;
  /** Bootstrap brokers, each `host:port`. */
  readonly brokers: readonly string[];
  /** What the broker's logs and quotas call this client. */
  readonly clientId: string;
  /** TLS to the brokers, or null for plaintext. */
  readonly tls: TlsOptions | null;
  /** SASL login, or null for none. */
  readonly sasl: KafkaSasl | null;
  /** How record batches are compressed; `kafkajs` has `none` and `gzip` only. */
  readonly compression: KafkaCompression;
  /** Most messages in one produce request. */
  readonly batchRows: number;
  /**
   * Most bytes, before compression, for one partition in one produce request; a single message may be larger. Keep it
   * below the topics' `max.message.bytes`, which limits the whole of it.
   */
  readonly batchBytes: number;
  /** Most bytes in one produce request, a larger message is refused; keep it below the brokers' `socket.request.max.bytes`. */
  readonly requestBytes: number;
  /** How long one request may take, in milliseconds; after that its fate is unknown. */
  readonly requestTimeoutMs: number;
  /** How long connecting to a broker may take, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** For how long after the first failure a batch is tried again before the session fails, in milliseconds. */
  readonly retryForMs: number;
}

export type KafkaDriverName = 'direct' | 'platformatic' | 'kafkajs';

export type KafkaCompression = 'none' | 'gzip' | 'snappy' | 'lz4';

/** A user and password, by one of the mechanisms that Kafka knows. */
export interface KafkaSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: string;
}

/** What a destination has where its configuration says nothing. */
export const KAFKA_DEFAULTS = {
  driver: 'direct',
  clientId: 'outbox-relay',
  tls: null,
  sasl: null,
  compression: 'none',
  batchRows: 2_000,
  batchBytes: 900_000,
  requestBytes: 16 * 1024 * 1024,
  requestTimeoutMs: 20_000,
  connectTimeoutMs: 5_000,
  retryForMs: 10_000,
} as const satisfies Omit<KafkaOptions, 'brokers'>;
