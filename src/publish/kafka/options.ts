import type { Renewable } from '../../core/renewal.ts';
import type { TlsOptions } from '../../core/tls.ts';

/** What proves who connects to whom; looked up again whenever connections are made anew. */
export interface KafkaCredentials {
  /** TLS to the brokers, or null for plaintext. */
  readonly tls: TlsOptions | null;
  /** SASL login, or null for none. */
  readonly sasl: KafkaSasl | null;
}

/** A Kafka destination, as the publisher wants it. The configuration's type is assignable to this. */
export interface KafkaOptions extends KafkaCredentials, Renewable<KafkaCredentials> {
  /**
   * How requests are made: `direct` writes them itself, over the connections of `@platformatic/kafka`; `platformatic` and
   * `kafkajs` leave them to the client library of that name.
   */
  readonly driver: KafkaDriverName;
  /** Bootstrap brokers, each `host:port`. */
  readonly brokers: readonly string[];
  /** What the broker's logs and quotas call this client. */
  readonly clientId: string;
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
  /** Where the tokens of OAUTHBEARER come from, so that all connections share one. @default looked up for itself */
  readonly bearerToken?: () => Promise<string>;
}

export type KafkaDriverName = 'direct' | 'platformatic' | 'kafkajs';

export type KafkaCompression = 'none' | 'gzip' | 'snappy' | 'lz4';

/** How the relay logs in, by one of the mechanisms that Kafka knows. */
export type KafkaSasl = KafkaPassword | KafkaBearer;

/** A user and password. */
export interface KafkaPassword {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: string;
}

/** A bearer token (KIP-255): one that is given, or of an endpoint. */
export type KafkaBearer = {
  readonly mechanism: 'OAUTHBEARER';
  /** Shown to the broker beside the token (KIP-342). */
  readonly extensions: Readonly<Record<string, string>>;
} & ({ readonly token: string; readonly oauth: null } | { readonly token: null; readonly oauth: OAuthClient });

/** A client of an authorization server, by client credentials. */
export interface OAuthClient {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | null;
  readonly audience: string | null;
  /** To the endpoint; null: what Node.js does by itself. */
  readonly tls: TlsOptions | null;
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
