/** Writes pgoutput messages as a server of protocol version 1 does. */

/** What a field of a tuple carries: text, SQL null, or one of the kinds that an inserted row must not have. */
export type EncodedField = Buffer | null | 'unchanged' | 'binary';

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  return bytes;
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

function tag(letter: string): Buffer {
  return Buffer.from(letter, 'latin1');
}

/** @param micros since 2000 */
export function begin(commitLsn: bigint, micros: bigint, xid: number): Buffer {
  return Buffer.concat([tag('B'), int64(commitLsn), int64(micros), int32(xid)]);
}

export function commit(commitLsn: bigint, endLsn: bigint, micros = 0n): Buffer {
  return Buffer.concat([tag('C'), Buffer.alloc(1), int64(commitLsn), int64(endLsn), int64(micros)]);
}

export function relation(
  relationId: number,
  schema: string,
  name: string,
  columns: readonly { readonly name: string; readonly typeOid: number }[],
): Buffer {
  return Buffer.concat([
    tag('R'),
    int32(relationId),
    cstring(schema),
    cstring(name),
    tag('d'),
    int16(columns.length),
    ...columns.map((column) =>
      Buffer.concat([Buffer.alloc(1), cstring(column.name), int32(column.typeOid), Buffer.alloc(4, 0xff)]),
    ),
  ]);
}

export function insert(relationId: number, fields: readonly EncodedField[]): Buffer {
  return Buffer.concat([tag('I'), int32(relationId), tag('N'), int16(fields.length), ...fields.map(encodeField)]);
}

function encodeField(field: EncodedField): Buffer {
  if (field === null) return tag('n');
  if (field === 'unchanged') return tag('u');
  if (field === 'binary') return Buffer.concat([tag('b'), int32(0)]);
  return Buffer.concat([tag('t'), int32(field.length), field]);
}
