import type { OutgoingMessage } from '../../core/message.ts';
import type { Batch } from './batch.ts';

/** A message as the client libraries take it. */
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

const ID = 'id';
const TYPE = 'type';

/** The records of a batch for a client library, those of each partition in order. Made of the same batch, they have the same bytes. */
export function recordsOf(batch: Batch): readonly KafkaRecord[] {
  const timestamp = BigInt(batch.timestamp);
  const names = new Map<string, Buffer>();
  return batch.shares.flatMap(({ topic, partition, members }) =>
    members.flatMap((at) => {
      const message = batch.messages[at];
      if (message === undefined) return [];
      const key = message.key === null ? null : Buffer.from(message.key);
      return { topic, partition, key, value: message.body, headers: headersOf(message, names), timestamp };
    }),
  );
}

/** @param names the bytes of header names, which repeat from message to message */
function headersOf(message: OutgoingMessage, names: Map<string, Buffer>): Map<Buffer, Buffer> {
  const headers = new Map<Buffer, Buffer>();
  const add = (name: string, value: string): void => {
    const bytes = bytesOf(names, name);
    headers.set(headers.has(bytes) ? Buffer.from(name) : bytes, Buffer.from(value));
  };
  add(ID, message.idHeader ?? message.row.id);
  if (message.type !== null) add(TYPE, message.type);
  for (const [name, value] of message.headers) add(name, value);
  return headers;
}

function bytesOf(names: Map<string, Buffer>, name: string): Buffer {
  let bytes = names.get(name);
  if (bytes === undefined) names.set(name, (bytes = Buffer.from(name)));
  return bytes;
}
