import type { ExpandedNulls } from './expansion.ts';

/** How a part of a message is written: as it is, or as Kafka Connect's JsonConverter does, without or with the value's schema. */
export type ConnectFormat = 'plain' | 'json' | 'json-with-schema';

/** A route's messages as Debezium's outbox event router and the converters behind it make them. */
export interface DebeziumSpec {
  readonly key: ConnectFormat;
  readonly value: ConnectFormat;
  /** Of all headers that the route adds, and of the header `id`. */
  readonly headers: ConnectFormat;
  /** Whether a payload that is a JSON object or array is sent as such, rather than as a string of JSON. */
  readonly expandJson: boolean;
  readonly expandedNulls: ExpandedNulls;
  /** What stands beside `payload` in the value: name to column. Empty: the value is the payload alone. */
  readonly envelope: Readonly<Record<string, string>>;
  /** Template of the name that the schema of such a value has; null: none. Only for values with their schema. */
  readonly envelopeSchema: string | null;
  /** Whether a payload of nothing but blanks, or null, makes a tombstone, whatever the format. */
  readonly tombstoneOnEmpty: boolean;
  /** The body of a message without a value, for RabbitMQ, which has no tombstones; null: an empty body. */
  readonly nullValue: string | null;
}
