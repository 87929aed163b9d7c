import type { OutgoingMessage } from '../../core/message.ts';
import type { Partitioner } from './partitioner.ts';
import type { HeldKeys, MessageQueue } from './queue.ts';
import { recordSize } from './record-size.ts';

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

/** What a batch has for one partition. */
export interface PartitionShare {
  readonly topic: string;
  readonly partition: number;
  /** Its messages in order, as positions among those of the batch; at least one. */
  readonly members: readonly number[];
  /** An upper bound of their size, in bytes, before compression. */
  readonly bytes: number;
}

/** What one {@link KafkaDriver.send} carries. A repetition passes the same object, and must send the very same bytes. */
export interface Batch {
  /** In the order of the queue. */
  readonly messages: readonly OutgoingMessage[];
  /** Where they go: each message is in one share, each partition has at most one. */
  readonly shares: readonly PartitionShare[];
  /** The timestamp of all records, in milliseconds since 1970. */
  readonly timestamp: number;
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
  readonly partitioner: Partitioner;
  /** The target of a topic that is known, else undefined: the batch then ends before the message. */
  readonly targetOf: (topic: string) => TopicTarget | undefined;
}

/**
 * Takes the next batch off the queue: the longest run from its front that the limits allow. It never reaches past a
 * message that does not fit, so the order of the queue is the order of every partition. The first message of a
 * partition fits as long as the request may be so large. A key's messages for two topics, or for two partitions that their
 * rows name, never share a request: of a request that is refused in part, a key is stored up to one of its messages, and
 * nothing behind that.
 *
 * @param now milliseconds since 1970, the timestamp of all records
 * @returns the batch; empty when the queue is, when all that is in it is held, when its first topic is not known, or
 *   when its first message alone is larger than a request may be, or for a partition that the topic does not have
 */
export function nextBatch(source: BatchSource, limits: BatchLimits, now: number): Batch {
  const { queue, held } = source;
  const messages: OutgoingMessage[] = [];
  const topics = new BatchTopics(source.targetOf);
  const keys = new PlaceOfKeys(messages);
  let chosen = false;
  let requestBytes = 0;
  for (let message = queue.peek(); message !== undefined; message = queue.peek()) {
    if (held.take(message)) {
      queue.shift();
      continue;
    }
    if (messages.length >= limits.rows) break;
    const topic = topics.of(topicOf(message));
    if (topic === undefined) break;
    const { target } = topic;
    const size = recordSize(message);
    if (requestBytes + size > limits.requestBytes) break;
    const partition = message.partition ?? partitionFor(message.key, target, source.partitioner);
    if (partition >= target.partitions) break;
    const share = topic.shares[partition];
    if (share !== undefined && share.bytes + size > target.batchBytes) break;
    chosen ||= message.partition !== undefined;
    if (message.key !== null && (topics.several || chosen) && keys.inOther(message.key, placeOf(message))) break;
    topics.add(topic, partition, messages.length, size);
    requestBytes += size;
    queue.shift();
    messages.push(message);
  }
  topics.turnKeyless();
  return { messages, shares: topics.shares, timestamp: now };
}

interface GrowingShare extends PartitionShare {
  readonly members: number[];
  bytes: number;
}

/** A topic of a batch; `shares` by partition, with holes. */
interface BatchTopic {
  readonly target: TopicTarget;
  readonly shares: (GrowingShare | undefined)[];
}

/** The topics of a batch that grows. Remembers the last one: most messages go where the one before them went. */
class BatchTopics {
  readonly shares: GrowingShare[] = [];
  readonly #targetOf: BatchSource['targetOf'];
  readonly #topics = new Map<string, BatchTopic>();
  #last: BatchTopic | undefined;

  constructor(targetOf: BatchSource['targetOf']) {
    this.#targetOf = targetOf;
  }

  /** Whether more than one topic was asked for: only then can a key have messages for two. */
  get several(): boolean {
    return this.#topics.size > 1;
  }

  of(name: string): BatchTopic | undefined {
    if (this.#last?.target.name === name) return this.#last;
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      const target = this.#targetOf(name);
      if (target === undefined) return undefined;
      topic = { target, shares: [] };
      this.#topics.set(name, topic);
    }
    this.#last = topic;
    return topic;
  }

  add(topic: BatchTopic, partition: number, member: number, bytes: number): void {
    const share = topic.shares[partition];
    if (share === undefined) {
      const first = { topic: topic.target.name, partition, members: [member], bytes };
      topic.shares[partition] = first;
      this.shares.push(first);
    } else {
      share.members.push(member);
      share.bytes += bytes;
    }
  }

  turnKeyless(): void {
    for (const { target } of this.#topics.values()) target.nextKeyless = (target.nextKeyless + 1) % target.partitions;
  }
}

/** Where each key of a batch goes. Filled when a second topic comes into it, or a row names its partition: most batches have neither. */
class PlaceOfKeys {
  readonly #messages: readonly OutgoingMessage[];
  readonly #places = new Map<string, string>();
  #seen = 0;

  /** @param messages those of the batch, as it grows */
  constructor(messages: readonly OutgoingMessage[]) {
    this.#messages = messages;
  }

  /** Whether the batch has a message of this key for another place. */
  inOther(key: string, place: string): boolean {
    for (let next = this.#messages[this.#seen]; next !== undefined; next = this.#messages[++this.#seen]) {
      if (next.key !== null) this.#places.set(next.key, placeOf(next));
    }
    const known = this.#places.get(key);
    return known !== undefined && known !== place;
  }
}

function partitionFor(key: string | null, target: TopicTarget, partitioner: Partitioner): number {
  return key === null ? target.nextKeyless : partitioner.partition(key, target.partitions);
}

/** The topic of a message, and the partition where its row names it. */
function placeOf(message: OutgoingMessage): string {
  return message.partition === undefined ? topicOf(message) : `${topicOf(message)}/${message.partition}`;
}

/** The topic of a message; a message for an exchange has none, which routing makes sure of. */
export function topicOf(message: OutgoingMessage): string {
  return message.address.kind === 'topic' ? message.address.topic : '';
}
