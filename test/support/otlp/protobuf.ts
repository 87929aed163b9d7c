/** Just enough of protobuf's wire format to read what an exporter sends. https://protobuf.dev/programming-guides/encoding/ */

/** The values of a message's fields by their numbers: bytes, or the bits of a number. */
export type ProtobufFields = ReadonlyMap<number, readonly (Buffer | bigint)[]>;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Reads one message. @throws RangeError for bytes that are none */
export function readFields(buffer: Buffer): ProtobufFields {
  const fields = new Map<number, (Buffer | bigint)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const bytes = (length: number): Buffer => {
    if (at + length > buffer.length) throw new RangeError(`${length} bytes at ${at} of ${buffer.length}`);
    at += length;
    return buffer.subarray(at - length, at);
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const values = fields.get(tag >> 3) ?? [];
    fields.set(tag >> 3, values);
    const type = tag & 7;
    if (type === VARINT) values.push(varint());
    else if (type === BYTES) values.push(bytes(Number(varint())));
    else if (type === FIXED64) values.push(bytes(8).readBigUInt64LE());
    else if (type === FIXED32) values.push(BigInt(bytes(4).readUInt32LE()));
    else throw new RangeError(`wire type ${type} at ${at}`);
  }
  return fields;
}

/** The messages, or bytes, of a field. */
export function bytesOf(fields: ProtobufFields, field: number): readonly Buffer[] {
  return (fields.get(field) ?? []).filter((value) => typeof value !== 'bigint');
}

/** A text field; empty where it is not there. */
export function textOf(fields: ProtobufFields, field: number): string {
  return bytesOf(fields, field)[0]?.toString() ?? '';
}

/** A number field; 0 where it is not there. */
export function numberOf(fields: ProtobufFields, field: number): bigint {
  const [value] = fields.get(field) ?? [];
  return typeof value === 'bigint' ? value : 0n;
}
