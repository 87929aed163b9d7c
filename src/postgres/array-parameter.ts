/**
 * Arrays as query parameters in Postgres' binary format, which neither side has to escape or parse:
 * `array_recv` in src/backend/utils/adt/arrayfuncs.c.
 */
import type { RowRef } from '../core/row.ts';

const INT8_OID = 20;
const TEXT_OID = 25;
/** Dimensions, whether there are nulls, the elements' type; length and lower bound of the one dimension. */
const HEADER_BYTES = 5 * 4;
const NULL_LENGTH = -1;

/** A `text[]`. */
export function textArray(texts: readonly (string | null)[]): Buffer {
  let bytes = HEADER_BYTES;
  for (const text of texts) bytes += 4 + (text === null ? 0 : Buffer.byteLength(text));
  const array = begun(bytes, TEXT_OID, texts.length);
  let at = HEADER_BYTES;
  for (const text of texts) {
    if (text === null) {
      at = array.writeInt32BE(NULL_LENGTH, at);
      continue;
    }
    const length = array.write(text, at + 4);
    array.writeInt32BE(length, at);
    at += 4 + length;
  }
  return array;
}

/** Positions and ids as the two parameters that `unnest` takes: `bigint[]` and `text[]`. */
export function refArrays(refs: readonly RowRef[]): [positions: Buffer, ids: Buffer] {
  return [positionArray(refs), idArray(refs)];
}

function positionArray(refs: readonly RowRef[]): Buffer {
  const array = begun(HEADER_BYTES + refs.length * 12, INT8_OID, refs.length);
  const view = new DataView(array.buffer, array.byteOffset, array.length);
  let at = HEADER_BYTES;
  for (const { position } of refs) {
    view.setInt32(at, 8);
    view.setBigInt64(at + 4, position);
    at += 12;
  }
  return array;
}

/** As {@link textArray}, in one walk as long as ids are ASCII, as nearly all are. */
function idArray(refs: readonly RowRef[]): Buffer {
  let bytes = HEADER_BYTES;
  for (const { id } of refs) bytes += 4 + id.length;
  const array = begun(bytes, TEXT_OID, refs.length);
  let at = HEADER_BYTES;
  for (const { id } of refs) {
    const { length } = id;
    at = array.writeInt32BE(length, at);
    for (let index = 0; index < length; index++) {
      const unit = id.charCodeAt(index);
      if (unit > 0x7f) return textArray(refs.map((ref) => ref.id));
      array[at + index] = unit;
    }
    at += length;
  }
  return array;
}

/** An array of one dimension, or of none when it is empty, with all but its elements written. */
function begun(bytes: number, elementOid: number, length: number): Buffer {
  const array = Buffer.allocUnsafe(bytes);
  array.writeInt32BE(length === 0 ? 0 : 1, 0);
  array.writeInt32BE(0, 4); // array_recv() finds nulls by itself
  array.writeInt32BE(elementOid, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return length === 0 ? array.subarray(0, 12) : array;
}
