import type { Publication } from './properties.ts';

/**
 * Encodes `basic.publish` of AMQP 0-9-1: a method frame, a header frame, and as many body frames as it takes. amqplib
 * does the same in a dozen buffers a message, which was most of what publishing cost.
 *
 * @param target with room for {@link publishBound} bytes from `start` on
 * @param frameMax the largest frame that the broker takes, in bytes
 * @param publication its names within the bounds of a short string
 * @returns where the next frame begins
 */
export function encodePublish(
  target: Buffer,
  start: number,
  channel: number,
  frameMax: number,
  publication: Publication,
): number {
  const header = encodeMethod(target, start, channel, publication);
  const body = encodeHeader(target, header, channel, publication);
  return encodeBody(target, body, channel, frameMax, publication.body);
}

/** Bytes that {@link encodePublish} needs at most. */
export function publishBound({ headers, body }: Publication, frameMax: number): number {
  let bytes = FIXED_BYTES + body.length + FRAME_OVERHEAD * Math.ceil(body.length / (frameMax - FRAME_OVERHEAD));
  for (const [name, value] of headers) {
    bytes += HEADER_OVERHEAD + UTF8_BYTES * (name.length + (value === true ? 0 : value.length));
  }
  return bytes;
}

/** Type, channel and size before the payload, a mark behind it. */
const FRAME_OVERHEAD = 8;
const PAYLOAD_AT = 7;
const FRAME_END = 0xce;
const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;

const BASIC_CLASS = 60;
const PUBLISH_METHOD = 40;
const MANDATORY = 1;
const PERSISTENT = 2;

/** Which properties a header frame has; they follow in this order. */
const CONTENT_TYPE = 0x8000;
const HEADERS = 0x2000;
const DELIVERY_MODE = 0x1000;
const MESSAGE_ID = 0x80;
const TIMESTAMP = 0x40;
const TYPE = 0x20;
const APP_ID = 0x08;
const ALWAYS = CONTENT_TYPE | HEADERS | DELIVERY_MODE | MESSAGE_ID | APP_ID;

/** Exchange, routing key, content type, id, type and app id, each a short string; all else is less than 100 bytes. */
const FIXED_BYTES = 6 * 256 + 100;
/** Of a string in a table: length of the name, type tag, length of the value. */
const HEADER_OVERHEAD = 6;
const LONG_STRING_TAG = 0x53;
const BOOLEAN_TAG = 0x74;
/** Bytes that a UTF-16 unit takes at most. */
const UTF8_BYTES = 3;
/** Longer texts are faster to write by the runtime, shorter ones here, where they are ASCII. */
const SHORT_TEXT = 64;

function encodeMethod(target: Buffer, start: number, channel: number, { exchange, routingKey }: Publication): number {
  let at = openFrame(target, start, METHOD_FRAME, channel);
  at = writeUint16(target, at, BASIC_CLASS);
  at = writeUint16(target, at, PUBLISH_METHOD);
  at = writeUint16(target, at, 0); // a ticket, which nobody uses any more
  at = writeShortString(target, at, exchange);
  at = writeShortString(target, at, routingKey);
  target[at++] = MANDATORY;
  return closeFrame(target, start, at);
}

function encodeHeader(target: Buffer, start: number, channel: number, publication: Publication): number {
  const { timestamp, type } = publication;
  let at = openFrame(target, start, HEADER_FRAME, channel);
  at = writeUint16(target, at, BASIC_CLASS);
  at = writeUint16(target, at, 0); // a weight, likewise
  at = writeUint64(target, at, publication.body.length);
  at = writeUint16(target, at, ALWAYS | (timestamp === null ? 0 : TIMESTAMP) | (type === null ? 0 : TYPE));
  at = writeShortString(target, at, publication.contentType);
  at = writeTable(target, at, publication.headers);
  target[at++] = PERSISTENT;
  at = writeShortString(target, at, publication.messageId);
  if (timestamp !== null) at = writeUint64(target, at, timestamp);
  if (type !== null) at = writeShortString(target, at, type);
  at = writeShortString(target, at, publication.appId);
  return closeFrame(target, start, at);
}

function encodeBody(target: Buffer, start: number, channel: number, frameMax: number, body: Buffer): number {
  const room = frameMax - FRAME_OVERHEAD;
  let next = start;
  for (let from = 0; from < body.length; from += room) {
    const at = openFrame(target, next, BODY_FRAME, channel);
    next = closeFrame(target, next, at + body.copy(target, at, from, Math.min(from + room, body.length)));
  }
  return next;
}

function openFrame(target: Buffer, start: number, type: number, channel: number): number {
  target[start] = type;
  writeUint16(target, start + 1, channel);
  return start + PAYLOAD_AT;
}

/** @param at where the payload ends */
function closeFrame(target: Buffer, start: number, at: number): number {
  writeUint32(target, start + 3, at - start - PAYLOAD_AT);
  target[at] = FRAME_END;
  return at + 1;
}

function writeTable(target: Buffer, start: number, headers: Publication['headers']): number {
  let at = start + 4;
  for (const [name, value] of headers) {
    at = writeShortString(target, at, name);
    if (value === true) {
      target[at++] = BOOLEAN_TAG;
      target[at++] = 1;
    } else {
      target[at++] = LONG_STRING_TAG;
      at = writeLongString(target, at, value);
    }
  }
  writeUint32(target, start, at - start - 4);
  return at;
}

function writeShortString(target: Buffer, at: number, text: string): number {
  const end = writeText(target, at + 1, text);
  target[at] = end - at - 1;
  return end;
}

function writeLongString(target: Buffer, at: number, text: string): number {
  const end = writeText(target, at + 4, text);
  writeUint32(target, at, end - at - 4);
  return end;
}

function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > SHORT_TEXT) return at + target.write(text, at);
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return at + target.write(text, at);
    target[at + index] = unit;
  }
  return at + length;
}

// Plain assignments: `writeUInt32BE` and its like check their arguments each time.

function writeUint16(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 8;
  target[at + 1] = value;
  return at + 2;
}

function writeUint32(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/** @param value a whole number up to 2^53 */
function writeUint64(target: Buffer, at: number, value: number): number {
  writeUint32(target, at, Math.floor(value / 0x1_0000_0000));
  return writeUint32(target, at + 4, value >>> 0);
}
