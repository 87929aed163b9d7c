import type { OutgoingMessage } from '../../core/message.ts';
import { partitionForKey } from './murmur2.ts';
import type { HeldKeys, MessageQueue } from './queue.ts';
import { recordSize, type KafkaRecord, type RecordEncoder } from './record.ts';

/** A topic as the batches need it. */
export interface TopicTarget {
  readonly name: string;
  /** How many partitions it has; at least 1. */
  readonly partitions: number;
  /** Most bytes for one of its partitions in one request; lowered when the broker finds a batch too large. */
  batchBytes: number;
  /** The partition for messages without a key; moves on with every batch, so that all partitions get their share. */
  nextKeyless: number;
}

/** What one produce request carries: `messages[i]` became `records[i]`. */
export interface Batch {
  readonly messages: readonly OutgoingMessage[];
  readonly records: readonly KafkaRecord[];
}

/** What bounds a batch. */
export interface BatchLimits {
  readonly rows: number;
  readonly requestBytes: number;
}

/** Where batches are cut from, and by what. */
export interface BatchSource {
  readonly queue: MessageQueue;
  /** Keys to be passed over; their messages move there. */
  readonly held: HeldKeys;
  readonly encoder: RecordEncoder;
  /** The target of a topic that is known, else undefined: the batch then ends before the message. */
  readonly targetOf: (topic: string) => TopicTarget | undefined;
}

/**
 * Takes the next batch off the queue: the longest run from its front that the limits allow. It never reaches past a
 * message that does not fit, so the order of the queue is the order of every partition. The first message of a
 * partition fits as long as the request may be so large. A key's messages for two topics never share a request: of a
 * request that is refused in part, a key is stored up to one of its messages, and nothing behind that.
 *
 * @param now milliseconds since 1970, the timestamp of all records
 * @returns the batch; empty when the queue is, when all that is in it is held, when its first topic is not known, or
 *   when its first message alone is larger than a request may be
 */
export function nextBatch(source: BatchSource, limits: BatchLimits, now: number): Batch {
  const { queue, held, encoder, targetOf } = source;
  const messages: OutgoingMessage[] = [];
  const records: KafkaRecord[] = [];
  const filled = new Map<TopicTarget, number[]>();
  const keys = new TopicOfKeys(messages);
  const timestamp = BigInt(now);
  let requestBytes = 0;
  for (let message = queue.peek(); message !== undefined; message = queue.peek()) {
    if (held.take(message)) {
      queue.shift();
      continue;
    }
    if (messages.length >= limits.rows) break;
    const target = targetOf(topicOf(message));
    if (target === undefined) break;
    const key = message.key === null ? null : Buffer.from(message.key);
    const partition = key === null ? target.nextKeyless : partitionForKey(key, target.partitions);
    const size = recordSize(message, key);
    const partitions = partitionsOf(filled, target);
    const before = partitions[partition] ?? 0;
    if (before > 0 && before + size > target.batchBytes) break;
    if (requestBytes + size > limits.requestBytes) break;
    if (message.key !== null && filled.size > 1 && keys.inOther(message.key, target.name)) break;
    partitions[partition] = before + size;
    requestBytes += size;
    queue.shift();
    messages.push(message);
    records.push(encoder.record(message, target.name, partition, key, timestamp));
  }
  for (const target of filled.keys()) target.nextKeyless = (target.nextKeyless + 1) % target.partitions;
  return { messages, records };
}

/** Which topic each key of a batch goes to. Made when a second topic comes into it: most batches have one. */
class TopicOfKeys {
  readonly #messages: readonly OutgoingMessage[];
  readonly #topics = new Map<string, string>();
  #seen = 0;

  /** @param messages those of the batch, as it grows */
  constructor(messages: readonly OutgoingMessage[]) {
    this.#messages = messages;
  }

  /** Whether the batch has a message of this key for another topic. */
  inOther(key: string, topic: string): boolean {
    for (let next = this.#messages[this.#seen]; next !== undefined; next = this.#messages[++this.#seen]) {
      if (next.key !== null) this.#topics.set(next.key, topicOf(next));
    }
    const known = this.#topics.get(key);
    return known !== undefined && known !== topic;
  }
}

/** The topic of a message; a message for an exchange has none, which routing makes sure of. */
export function topicOf(message: OutgoingMessage): string {
  return message.address.kind === 'topic' ? message.address.topic : '';
}

function partitionsOf(filled: Map<TopicTarget, number[]>, target: TopicTarget): number[] {
  let partitions = filled.get(target);
  if (partitions === undefined) {
    partitions = [];
    filled.set(target, partitions);
  }
  return partitions;
}
