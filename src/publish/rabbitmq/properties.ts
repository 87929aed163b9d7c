import { RelayError } from '../../core/errors.ts';
import type { Header, OutgoingMessage } from '../../core/message.ts';

/** What the broker takes, as far as it is known. */
export interface BrokerLimits {
  /** Null until the broker has told by refusing a larger one. */
  readonly bodyBytes: number | null;
  /** All headers, encoded. */
  readonly headerBytes: number;
}

/** A message in the terms of AMQP: persistent, mandatory, with these properties. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly contentType: string;
  readonly headers: ReadonlyMap<string, string | true>;
  readonly messageId: string;
  /** In seconds since 1970. */
  readonly timestamp: number | null;
  readonly type: string | null;
  readonly appId: string;
  readonly body: Buffer;
}

/** The header by which the deduplication plugin, and consumers, know a message that they have had. */
export const DEDUPLICATION_HEADER = 'x-deduplication-header';
/** AMQP has no null body: a tombstone is an empty one with this header set to true. */
export const TOMBSTONE_HEADER = 'x-outbox-tombstone';

/**
 * The room for headers where the broker allows frames of `frameMax` bytes: a header frame over that ends the whole
 * connection, and has other properties in it.
 */
export function headerRoom(frameMax: number): number {
  return Math.min(60 * 1024, frameMax - 4096);
}

/**
 * Says in the terms of AMQP what is to be published, and refuses beforehand what cannot be encoded or what the broker
 * would close the channel for.
 *
 * @returns the publication, or a `row` error
 */
export function toPublication(message: OutgoingMessage, appId: string, limits: BrokerLimits): Publication | RelayError {
  if (message.address.kind !== 'exchange') {
    return new RelayError('message_invalid', 'the route leads to a topic, which RabbitMQ does not have');
  }
  const { exchange, routingKey } = message.address;
  const { id, since } = message.row;
  const fault =
    tooLong('the exchange', exchange) ??
    tooLong('the routing key', routingKey) ??
    tooLong('the id', id) ??
    tooLong('the type', message.type ?? '') ??
    tooLong('the content type', message.contentType) ??
    headerFault(message.headers, limits.headerBytes) ??
    bodyFault(message.body, limits.bodyBytes);
  if (fault !== null) return fault;
  return {
    exchange,
    routingKey,
    contentType: message.contentType,
    headers: headerTable(message),
    messageId: id,
    timestamp: since >= 0 ? Math.floor(since / 1000) : null,
    type: message.type,
    appId,
    body: message.body ?? EMPTY,
  };
}

const EMPTY = Buffer.alloc(0);
/** Names, keys and ids are AMQP short strings. */
const SHORT_STRING_BYTES = 255;
/** What a string takes in a table beside its bytes: length of the name, type tag, length of the value. */
const HEADER_OVERHEAD = 6;
/** The broker reads these as lists of further routing keys, and closes the channel when they are not. */
const RESERVED_HEADERS: readonly string[] = ['CC', 'BCC'];

function headerTable(message: OutgoingMessage): Map<string, string | true> {
  const table = new Map<string, string | true>(message.headers);
  table.set(DEDUPLICATION_HEADER, message.row.id);
  if (message.body === null) table.set(TOMBSTONE_HEADER, true);
  return table;
}

function tooLong(what: string, text: string): RelayError | null {
  if (text.length * 3 <= SHORT_STRING_BYTES) return null;
  const bytes = Buffer.byteLength(text);
  if (bytes <= SHORT_STRING_BYTES) return null;
  return new RelayError('message_invalid', `${what} is ${bytes} bytes long; AMQP takes ${SHORT_STRING_BYTES}`);
}

function headerFault(headers: readonly Header[], room: number): RelayError | null {
  let bytes = 0;
  for (const [name, value] of headers) {
    if (RESERVED_HEADERS.includes(name)) {
      return new RelayError('message_invalid', `the header ${name} has a meaning of its own in RabbitMQ`);
    }
    const fault = tooLong('a header name', name);
    if (fault !== null) return fault;
    bytes += HEADER_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (bytes <= room) return null;
  return new RelayError('message_too_large', `the headers take ${bytes} bytes; RabbitMQ takes ${room}`, {
    remedy: 'Move what is large from the headers into the payload, then `retry` the row, or `discard` it.',
  });
}

function bodyFault(body: Buffer | null, limit: number | null): RelayError | null {
  if (body === null || limit === null || body.length <= limit) return null;
  return new RelayError('message_too_large', `the payload has ${body.length} bytes; the broker takes ${limit}`, {
    remedy: 'Raise max_message_size in rabbitmq.conf and `retry` the row, or `discard` it.',
  });
}
