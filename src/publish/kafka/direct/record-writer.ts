import type { OutgoingMessage } from '../../../core/message.ts';
import { recordSize } from '../record-size.ts';
import { varintSize, writeVarint } from './varint.ts';

/** Length of a key or value that is null. */
const NULL_LENGTH = -1;

/** How many header names and event types are kept as bytes, since nearly all messages share a few. */
const INTERNED = 256;

/** Up to so many units a text is written byte by byte in JavaScript, which is faster than calling out of it. */
const SHORT_TEXT = 64;

/** Up to so many bytes are copied one by one, for the same reason. */
const SHORT_COPY = 24;

/**
 * Writes messages as records of Kafka's record format (version 2), without an object for each: strings and bytes go
 * right into the buffer. https://kafka.apache.org/documentation/#record
 */
export class RecordWriter {
  /** Texts that repeat, each as its length and bytes. */
  readonly #interned = new Map<string, Uint8Array>();
  readonly #id = withLength('id');
  readonly #type = withLength('type');

  /**
   * Writes one record, its timestamp that of the batch, and returns where it ends.
   *
   * @param buffer has room for {@link recordSize} bytes
   * @param offsetDelta the record's place in its batch, from 0
   */
  write(buffer: Buffer, at: number, message: OutgoingMessage, offsetDelta: number): number {
    // The length comes first and is known last: its own size is guessed, and nearly always right.
    const guess = varintSize(recordSize(message));
    const start = at + guess;
    const end = this.#contents(buffer, start, message, offsetDelta);
    const size = varintSize(end - start);
    if (size !== guess) buffer.copyWithin(at + size, start, end);
    writeVarint(buffer, at, end - start);
    return end - guess + size;
  }

  #contents(buffer: Buffer, start: number, message: OutgoingMessage, offsetDelta: number): number {
    buffer[start] = 0; // attributes
    buffer[start + 1] = 0; // timestamp delta
    let at = writeVarint(buffer, start + 2, offsetDelta);
    at = message.key === null ? writeVarint(buffer, at, NULL_LENGTH) : writeText(buffer, at, message.key);
    at = writeBytes(buffer, at, message.body);
    at = writeVarint(buffer, at, (message.type === null ? 1 : 2) + message.headers.length);
    at = writeText(buffer, copy(buffer, at, this.#id), message.idHeader ?? message.row.id);
    if (message.type !== null) at = this.#repeated(buffer, copy(buffer, at, this.#type), message.type);
    for (const [name, value] of message.headers) at = writeText(buffer, this.#repeated(buffer, at, name), value);
    return at;
  }

  #repeated(buffer: Buffer, at: number, text: string): number {
    let bytes = this.#interned.get(text);
    if (bytes === undefined) {
      if (this.#interned.size >= INTERNED || text.length > SHORT_TEXT) return writeText(buffer, at, text);
      bytes = withLength(text);
      this.#interned.set(text, bytes);
    }
    return copy(buffer, at, bytes);
  }
}

function withLength(text: string): Uint8Array {
  const bytes = Buffer.alloc(varintSize(Buffer.byteLength(text)) + Buffer.byteLength(text));
  writeText(bytes, 0, text);
  return bytes;
}

/** Writes the length in bytes and the text as UTF-8; returns where it ends. */
function writeText(buffer: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= SHORT_TEXT) {
    const start = writeVarint(buffer, at, length);
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) break;
      buffer[start + index] = unit;
    }
    if (index === length) return start + length;
  }
  const bytes = Buffer.byteLength(text);
  const start = writeVarint(buffer, at, bytes);
  buffer.write(text, start, bytes);
  return start + bytes;
}

function writeBytes(buffer: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(buffer, at, NULL_LENGTH);
  const start = writeVarint(buffer, at, bytes.length);
  buffer.set(bytes, start);
  return start + bytes.length;
}

function copy(buffer: Buffer, at: number, bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > SHORT_COPY) buffer.set(bytes, at);
  else for (let index = 0; index < length; index++) buffer[at + index] = bytes[index] ?? 0;
  return at + length;
}
