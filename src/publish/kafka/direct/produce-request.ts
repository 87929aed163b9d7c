import type { Batch, PartitionShare } from '../batch.ts';
import type { ProducerState } from './producer-state.ts';
import { RECORD_BATCH_OVERHEAD, writeRecordBatch, type RecordBatchTools } from './record-batch.ts';

export const PRODUCE_API_KEY = 0;

/**
 * The newest version that is spoken, known to every broker since 2.4. Its lengths are of fixed size, so that they can
 * be filled in behind what they count, and its answers have record errors. Later ones add topic ids, and hints at the
 * new leader in answers, for which the metadata are asked for in any case.
 */
export const PRODUCE_MAX_VERSION = 8;
/** The oldest version: the same request, whose answers have no record errors. */
export const PRODUCE_MIN_VERSION = 7;

const ACKS_ALL = -1;
const NO_TRANSACTION = -1;

/** Transactional id, acks, time-out and the number of topics. */
const REQUEST_OVERHEAD = 2 + 2 + 4 + 4;
/** The length of the name, of up to 249 bytes, and the number of partitions. */
const TOPIC_OVERHEAD = 2 + 249 + 4;
/** The partition's index, the length of its records, and what a record batch has beside them. */
const SHARE_OVERHEAD = 4 + 4 + RECORD_BATCH_OVERHEAD;

/** The part of a batch that one broker gets. */
export interface ProduceInput {
  readonly batch: Batch;
  readonly shares: readonly PartitionShare[];
  /** For how long the broker may wait for its replicas, in milliseconds. */
  readonly timeoutMs: number;
  readonly producer: ProducerState;
}

/** An upper bound of what {@link writeProduceRequest} writes for these shares, in bytes. */
export function produceRequestSize(shares: readonly PartitionShare[]): number {
  let size = REQUEST_OVERHEAD;
  // a topic for each share is the most there can be
  for (const { bytes } of shares) size += TOPIC_OVERHEAD + SHARE_OVERHEAD + bytes;
  return size;
}

/**
 * Writes the body of a Produce request (version 7 or 8), acks=all, and returns where it ends.
 *
 * @param buffer has room for {@link produceRequestSize} bytes
 */
export function writeProduceRequest(
  buffer: Buffer,
  start: number,
  input: ProduceInput,
  tools: RecordBatchTools,
): number {
  const topics = byTopic(input.shares);
  let at = buffer.writeInt16BE(NO_TRANSACTION, start);
  at = buffer.writeInt16BE(ACKS_ALL, at);
  at = buffer.writeInt32BE(input.timeoutMs, at);
  at = buffer.writeInt32BE(topics.size, at);
  for (const [topic, shares] of topics) {
    const length = buffer.write(topic, at + 2);
    buffer.writeInt16BE(length, at);
    at = buffer.writeInt32BE(shares.length, at + 2 + length);
    for (const share of shares) at = writeShare(buffer, at, share, input, tools);
  }
  return at;
}

function writeShare(
  buffer: Buffer,
  start: number,
  share: PartitionShare,
  { batch, producer }: ProduceInput,
  tools: RecordBatchTools,
): number {
  const lengthAt = buffer.writeInt32BE(share.partition, start);
  const at = lengthAt + 4;
  const end = writeRecordBatch(buffer, at, { batch, share, producer }, tools);
  buffer.writeInt32BE(end - at, lengthAt);
  return end;
}

function byTopic(shares: readonly PartitionShare[]): ReadonlyMap<string, readonly PartitionShare[]> {
  const topics = new Map<string, PartitionShare[]>();
  for (const share of shares) {
    const own = topics.get(share.topic);
    if (own === undefined) topics.set(share.topic, [share]);
    else own.push(share);
  }
  return topics;
}
