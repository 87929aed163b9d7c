import { Consumer } from '@platformatic/kafka';
import { until } from './services/until.ts';

/** A record as it lies in a topic. */
export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970: the producer's, or the broker's in a topic with `message.timestamp.type=LogAppendTime`. */
  readonly timestamp: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** In their order, repeated names included. */
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

/** How a topic is read. */
export interface TopicReaderOptions {
  /** `host:port`, comma-separated or as a list. */
  readonly brokers: string | readonly string[];
  readonly topic: string;
}

/** Bit of a batch's attributes: its last timestamp is the broker's, and that of all its records. */
const LOG_APPEND_TIME = 8;

/** The value of a header as text; undefined when the record does not have it. */
export function headerOf(record: TopicRecord, name: string): string | undefined {
  return record.headers.find(([header]) => header === name)?.[1]?.toString();
}

/** Reads a topic once, completely: from the beginning to the end it has when this is called. */
export async function readTopic(brokers: string | readonly string[], topic: string): Promise<readonly TopicRecord[]> {
  await using reader = new TopicReader({ brokers, topic });
  return await reader.readToEnd();
}

/**
 * Reads a topic from the beginning, without a consumer group. Each call goes on where the one before ended; brokers that
 * are away for a while are asked again.
 */
export class TopicCursor {
  readonly #consumer: Consumer;
  readonly #topic: string;
  /** The next offset of each partition. */
  readonly #next = new Map<number, bigint>();

  constructor(options: TopicReaderOptions) {
    this.#topic = options.topic;
    this.#consumer = new Consumer({
      clientId: 'topic-reader',
      groupId: 'topic-reader',
      bootstrapBrokers: typeof options.brokers === 'string' ? options.brokers.split(',') : [...options.brokers],
      autocreateTopics: false,
      metadataMaxAge: 1000,
      connectTimeout: 5000,
      requestTimeout: 10_000,
      retries: 20,
      retryDelay: 250,
    });
  }

  /** The offset behind the last record of each partition. */
  async endOffsets(): Promise<readonly bigint[]> {
    return (await this.#consumer.listOffsets({ topics: [this.#topic], timestamp: -1n })).get(this.#topic) ?? [];
  }

  /** Visits every record up to the ends that the partitions have now, each partition's in order. */
  async readToEnd(visit: (record: TopicRecord) => void): Promise<void> {
    // Without this offsets are asked of a cached leader.
    const metadata = await this.#consumer.metadata({ topics: [this.#topic], forceUpdate: true });
    const topic = metadata.topics.get(this.#topic);
    if (topic === undefined) throw new Error(`there is no topic ${this.#topic}`);
    const ends = await this.endOffsets();
    for (const [partition, { leader }] of topic.partitions.entries()) {
      const end = ends[partition];
      // A partition left out would look like one without records.
      if (end === undefined || end < 0n) throw new Error(`partition ${partition} of ${this.#topic} has no end offset`);
      while (this.#position(partition) < end) await this.#fetch(topic.id, partition, leader, visit);
    }
  }

  async close(): Promise<void> {
    await this.#consumer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #position(partition: number): bigint {
    return this.#next.get(partition) ?? 0n;
  }

  async #fetch(
    topicId: string,
    partition: number,
    leader: number,
    visit: (record: TopicRecord) => void,
  ): Promise<void> {
    const position = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: this.#position(partition),
      lastFetchedEpoch: -1,
      partitionMaxBytes: 8 << 20,
    };
    const response = await this.#consumer.fetch({
      node: leader,
      topics: [{ topicId, partitions: [position] }],
      minBytes: 1,
      maxBytes: 16 << 20,
      maxWaitTime: 500,
    });
    for (const batch of response.responses[0]?.partitions[0]?.records ?? []) {
      const appended = (batch.attributes & LOG_APPEND_TIME) === 0 ? null : batch.maxTimestamp;
      for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
        const offset = batch.firstOffset + BigInt(offsetDelta);
        // A fetch answers with the whole batch in which the offset lies.
        if (offset < position.fetchOffset) continue;
        visit({
          topic: this.#topic,
          partition,
          offset,
          timestamp: appended ?? batch.firstTimestamp + timestampDelta,
          key,
          value,
          headers: headers.map(([name, content]) => [name?.toString() ?? '', content] as const),
        });
      }
      this.#next.set(partition, batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n);
    }
  }
}

/** Reads a topic from the beginning, as {@link TopicCursor} does, and keeps all that it has read. */
export class TopicReader {
  readonly #cursor: TopicCursor;
  readonly #topic: string;
  readonly #records: TopicRecord[] = [];

  constructor(options: TopicReaderOptions) {
    this.#cursor = new TopicCursor(options);
    this.#topic = options.topic;
  }

  /** Reads up to the ends that the partitions have now, and returns everything read so far, partition by partition. */
  async readToEnd(): Promise<readonly TopicRecord[]> {
    await this.#cursor.readToEnd((record) => this.#records.push(record));
    this.#records.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
    return [...this.#records];
  }

  /**
   * Reads on until `enough` is content with everything read so far, and returns that.
   *
   * @param timeoutMs default 30000
   */
  waitFor(enough: (records: readonly TopicRecord[]) => boolean, timeoutMs = 30_000): Promise<readonly TopicRecord[]> {
    const ask = async () => {
      const records = await this.readToEnd();
      return enough(records) && records;
    };
    return until(ask, {
      what: `the records expected in ${this.#topic}`,
      timeoutMs,
      details: () => `${this.#records.length} records were there`,
    });
  }

  close(): Promise<void> {
    return this.#cursor.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
