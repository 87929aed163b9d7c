import type { OutgoingMessage } from '../../core/message.ts';

/** Length, attributes, deltas and the lengths of key, value and header list: at most so much beside the contents. */
const RECORD_OVERHEAD = 40;
const HEADER_OVERHEAD = 8;

/** A UTF-16 unit takes at most so many bytes in UTF-8. */
const BYTES_PER_UNIT = 3;

/** A text of up to so many units is not measured: what the bound is too high by does not matter. */
const UNMEASURED = 64;

/** An upper bound of what a message takes in a record batch, in bytes, before compression; it need not look at most texts. */
export function recordSize(message: OutgoingMessage): number {
  let size = RECORD_OVERHEAD + HEADER_OVERHEAD + 2 + textSize(message.idHeader ?? message.row.id);
  if (message.key !== null) size += textSize(message.key);
  if (message.body !== null) size += message.body.length;
  if (message.type !== null) size += HEADER_OVERHEAD + 4 + textSize(message.type);
  for (const [name, value] of message.headers) size += HEADER_OVERHEAD + textSize(name) + textSize(value);
  return size;
}

function textSize(text: string): number {
  return text.length <= UNMEASURED ? BYTES_PER_UNIT * text.length : Buffer.byteLength(text);
}
