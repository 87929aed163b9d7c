import type { OutboxRow } from './row.ts';
import type { MessageTrace } from './trace.ts';

/** Where a message goes. */
export type Address = TopicAddress | ExchangeAddress;

/** A Kafka topic. */
export interface TopicAddress {
  readonly kind: 'topic';
  readonly topic: string;
}

/** A RabbitMQ exchange ('' is the default exchange) and the routing key for it. */
export interface ExchangeAddress {
  readonly kind: 'exchange';
  readonly exchange: string;
  readonly routingKey: string;
}

/** A header name and its value. A name may stand more than once where the broker allows it. */
export type Header = readonly [name: string, value: string];

/** One outbox row, routed and encoded: what a publisher sends. Immutable; its buffers must not be written to. */
export interface OutgoingMessage {
  readonly row: OutboxRow;
  readonly address: Address;
  /** The partition key: order is kept between messages of one key. Null: no key, no order. */
  readonly key: string | null;
  /** The payload's bytes; null is a tombstone. */
  readonly body: Buffer | null;
  /** The event's type, for the `type` header or property; null when the table has none. */
  readonly type: string | null;
  /** The media type of the body, e.g. `application/json`. */
  readonly contentType: string;
  /** The row's own headers and those added by the route; `id` and `type` are not among them: each broker has its place for them. */
  readonly headers: readonly Header[];
  /** Which route made this message: index into the configured routes; decides what happens when it is refused. */
  readonly route: number;
  /** What the message counts against the memory budget, in bytes: body, key, headers and a fixed overhead. */
  readonly bytes: number;
  /** What the header `id` says where that is not the row's id as it is: another may have been told to expect it in quotes. */
  readonly idHeader?: string;
  /** Kafka: the partition, from 0; left out: by the key. */
  readonly partition?: number;
  /** Its span, whose ids are in its headers; null or left out: it is not traced. */
  readonly trace?: MessageTrace | null;
}
