import type { Batch, PartitionShare } from '../batch.ts';
import type { ProducerState } from './producer-state.ts';
import type { RecordWriter } from './record-writer.ts';

/** Record batches as version 2 has them: https://kafka.apache.org/documentation/#recordbatch */
const MAGIC = 2;

const LENGTH_AT = 8;
const EPOCH_AT = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
/** Where that begins which the checksum is of. */
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const PRODUCER_EPOCH_AT = 51;
const SEQUENCE_AT = 53;
const COUNT_AT = 57;
const RECORDS_AT = 61;

/** How many bytes a record batch takes beside its records. */
export const RECORD_BATCH_OVERHEAD = RECORDS_AT;

/** A way of compression. */
export interface Codec {
  /** What names it in the attributes of a record batch. */
  readonly bitmask: number;
  readonly compress: (records: Buffer) => Buffer;
}

/** What encoding takes from elsewhere. */
export interface RecordBatchTools {
  readonly records: RecordWriter;
  /** CRC-32C of all the bytes. */
  readonly crc32c: (bytes: Buffer) => number;
  /** Null: records are not compressed. */
  readonly codec: Codec | null;
}

/** The record batch of one share. */
export interface RecordBatchInput {
  readonly batch: Batch;
  readonly share: PartitionShare;
  /** By whose id, epoch and sequence numbers the broker knows the record batch again. */
  readonly producer: ProducerState;
}

/**
 * Writes one record batch and returns where it ends. The same input gives the same bytes.
 *
 * @param buffer has room for the share's bytes and {@link RECORD_BATCH_OVERHEAD}
 */
export function writeRecordBatch(
  buffer: Buffer,
  start: number,
  input: RecordBatchInput,
  tools: RecordBatchTools,
): number {
  const { batch, share, producer } = input;
  const at = start + RECORDS_AT;
  const written = writeRecords(buffer, at, batch, share, tools.records);
  const { end, attributes } = compressed(buffer, at, written, tools.codec);
  const timestamp = BigInt(batch.timestamp);
  const count = share.members.length;
  buffer.fill(0, start, start + LENGTH_AT); // base offset, which the broker sets
  buffer.writeInt32BE(end - start - EPOCH_AT, start + LENGTH_AT);
  buffer.writeInt32BE(-1, start + EPOCH_AT); // the leader's epoch, which it sets itself
  buffer[start + MAGIC_AT] = MAGIC;
  buffer.writeInt16BE(attributes, start + ATTRIBUTES_AT);
  buffer.writeInt32BE(count - 1, start + LAST_OFFSET_AT);
  buffer.writeBigInt64BE(timestamp, start + BASE_TIMESTAMP_AT);
  buffer.writeBigInt64BE(timestamp, start + MAX_TIMESTAMP_AT);
  buffer.writeBigInt64BE(producer.producerId, start + PRODUCER_ID_AT);
  buffer.writeInt16BE(producer.producerEpoch, start + PRODUCER_EPOCH_AT);
  buffer.writeInt32BE(producer.sequenceOf(share), start + SEQUENCE_AT);
  buffer.writeInt32BE(count, start + COUNT_AT);
  buffer.writeUInt32BE(tools.crc32c(buffer.subarray(start + ATTRIBUTES_AT, end)), start + CRC_AT);
  return end;
}

function writeRecords(
  buffer: Buffer,
  start: number,
  batch: Batch,
  share: PartitionShare,
  records: RecordWriter,
): number {
  let at = start;
  let offsetDelta = 0;
  for (const member of share.members) {
    const message = batch.messages[member];
    if (message === undefined) throw new TypeError(`a share names message ${member}, which its batch does not have`);
    at = records.write(buffer, at, message, offsetDelta++);
  }
  return at;
}

/** Puts the compressed records in the place of the records, where that makes them smaller. */
function compressed(
  buffer: Buffer,
  start: number,
  end: number,
  codec: Codec | null,
): { readonly end: number; readonly attributes: number } {
  if (codec === null) return { end, attributes: 0 };
  const packed = codec.compress(buffer.subarray(start, end));
  if (packed.length >= end - start) return { end, attributes: 0 };
  buffer.set(packed, start);
  return { end: start + packed.length, attributes: codec.bitmask };
}
