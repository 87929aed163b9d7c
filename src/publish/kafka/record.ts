import type { Header, OutgoingMessage } from '../../core/message.ts';

/** A message as the drivers send it: where exactly, and in bytes. Built once; a repetition sends the same object. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  /** By name; the names are compared as objects, so that one name may stand several times. */
  readonly headers: Map<Buffer, Buffer>;
  /** Milliseconds since 1970. */
  readonly timestamp: bigint;
}

/** Length, attributes, deltas and the lengths of key, value and header list: at most so much beside the contents. */
const RECORD_OVERHEAD = 40;
const HEADER_OVERHEAD = 8;

/** How many names and types are kept as bytes, since nearly all messages share a few. */
const INTERNED = 256;

/** Turns messages into records. Keeps the bytes of header names and event types, which repeat from message to message. */
export class RecordEncoder {
  readonly #interned = new Map<string, Buffer>();
  readonly #id = Buffer.from('id');
  readonly #type = Buffer.from('type');

  /**
   * @param key the message's key in bytes, which the caller has made to find the partition
   * @param timestamp one for the whole batch: a repetition must have the very same bytes
   */
  record(
    message: OutgoingMessage,
    topic: string,
    partition: number,
    key: Buffer | null,
    timestamp: bigint,
  ): KafkaRecord {
    const headers = new Map<Buffer, Buffer>();
    headers.set(this.#id, Buffer.from(message.row.id));
    if (message.type !== null) headers.set(this.#type, this.#bytes(message.type));
    for (const [name, value] of message.headers) {
      const bytes = this.#bytes(name);
      headers.set(headers.has(bytes) ? Buffer.from(name) : bytes, Buffer.from(value));
    }
    return { topic, partition, key, value: message.body, headers, timestamp };
  }

  #bytes(text: string): Buffer {
    let bytes = this.#interned.get(text);
    if (bytes === undefined) {
      bytes = Buffer.from(text);
      if (this.#interned.size < INTERNED) this.#interned.set(text, bytes);
    }
    return bytes;
  }
}

/** An upper bound of what a message takes in a record batch, in bytes, before compression. */
export function recordSize(message: OutgoingMessage, key: Buffer | null): number {
  let size = RECORD_OVERHEAD + HEADER_OVERHEAD + 2 + message.row.id.length;
  if (key !== null) size += key.length;
  if (message.body !== null) size += message.body.length;
  if (message.type !== null) size += HEADER_OVERHEAD + 4 + Buffer.byteLength(message.type);
  for (const header of message.headers) size += headerSize(header);
  return size;
}

function headerSize([name, value]: Header): number {
  return HEADER_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(value);
}
