import type { MessageFaults } from './faults.ts';
import type { PayloadKind } from './options.ts';

/** A payload as JSON for the statement, which turns it into the column's value; null json: SQL null, a tombstone. */
export interface EncodedPayload {
  readonly json: string | null;
  /** What it takes in the message. */
  readonly bytes: number;
}

const TOMBSTONE: EncodedPayload = { json: null, bytes: 0 };

/** @throws OutboxError `invalid_message` for a value that is not of the column's kind */
export function encodePayload(payload: unknown, kind: PayloadKind, faults: MessageFaults): EncodedPayload {
  if (payload === null) return TOMBSTONE;
  if (payload === undefined) throw faults.invalid('payload', 'a value; null makes a tombstone');
  switch (kind) {
    case 'json':
      return encodeJson(payload, faults);
    case 'text': {
      if (typeof payload !== 'string') throw faults.invalid('payload', `a string, for the column is of kind 'text'`);
      const text = faults.writable('payload', payload);
      return { json: JSON.stringify(text), bytes: Buffer.byteLength(text) };
    }
    case 'bytea': {
      if (!(payload instanceof Uint8Array))
        throw faults.invalid('payload', `a Uint8Array, for the column is of kind 'bytea'`);
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      return { json: `"${bytes.toString('base64')}"`, bytes: bytes.length };
    }
  }
}

function encodeJson(payload: unknown, faults: MessageFaults): EncodedPayload {
  if (ArrayBuffer.isView(payload) || payload instanceof ArrayBuffer)
    throw faults.invalid('payload', `a JSON value; createOutbox({ payload: 'bytea' }) is for bytes`);
  const json = stringified(payload, faults);
  return { json, bytes: Buffer.byteLength(json) };
}

function stringified(payload: unknown, faults: MessageFaults): string {
  const expected = 'a JSON value: no function or symbol, no bigint, nothing that contains itself';
  let json: unknown;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw faults.invalid('payload', expected, error);
  }
  // Of functions and symbols JSON.stringify makes undefined, which its type does not say.
  if (typeof json !== 'string') throw faults.invalid('payload', expected);
  return json;
}
