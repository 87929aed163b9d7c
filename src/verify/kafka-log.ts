import type * as PlatformaticKafka from '@platformatic/kafka';
import type { Admin, Consumer } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { RelayError } from '../core/errors.ts';
import { flatten, troubleOf } from '../publish/kafka/errors.ts';
import type { KafkaOptions } from '../publish/kafka/options.ts';
import { connectionOptions } from '../publish/kafka/platformatic-connection.ts';

/** A record of a topic. */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: string | null;
  /** The first value of a header; null when there is none. */
  header(name: string): string | null;
}

/** What a topic still has of a window. */
export interface TopicState {
  readonly topic: string;
  readonly exists: boolean;
  /** Whether older records of a key are removed; null when the broker does not tell. */
  readonly compacted: boolean | null;
  /** Records of before this time (milliseconds since 1970) may have been deleted; null: all of the window are there. */
  readonly truncatedUntil: number | null;
}

/** What is to be read of one partition. */
interface PartitionRange {
  readonly partition: number;
  readonly begin: bigint;
  readonly end: bigint;
}

/** How many offsets there are to read. */
export function offsetsOf({ ranges }: TopicPlan): number {
  return ranges.reduce((sum, { begin, end }) => sum + Math.max(0, Number(end - begin)), 0);
}

/** A topic, and what is to be read of it: fixed before anything is read. */
export interface TopicPlan extends TopicState {
  readonly ranges: readonly PartitionRange[];
}

type Library = typeof PlatformaticKafka;

const FETCH_BYTES = 8 * 1024 * 1024;
const FETCH_WAIT_MS = 500;
/** Answers without progress before a partition is given up. */
const IDLE_ANSWERS = 20;
/** For how long what may pass by itself is tried again. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 250;
const EARLIEST = -2n;
const LATEST = -1n;
const READ_UNCOMMITTED = 0;
/** Bit of a batch's attributes: its last timestamp is the broker's, and that of all its records. */
const LOG_APPEND_TIME = 8;
const CONTROL_BATCH = 32;
const OFFSET_OUT_OF_RANGE = 1;

/**
 * Reads topics without a consumer group, whichever client publishes: nothing is committed, and nothing is left behind
 * on the brokers.
 */
export class KafkaLog {
  readonly #consumer: Consumer;
  readonly #admin: Admin;
  readonly #topicResource: Library['ConfigResourceTypes']['TOPIC'];

  constructor(library: Library, options: KafkaOptions) {
    // the group is never joined; the library asks for a name
    const reading = { groupId: 'outbox-relay-verify', isolationLevel: READ_UNCOMMITTED };
    this.#consumer = new library.Consumer({ ...connectionOptions(options), ...reading });
    this.#admin = new library.Admin(connectionOptions(options));
    this.#topicResource = library.ConfigResourceTypes.TOPIC;
  }

  /** @throws RelayError `broker_*` */
  topics(): Promise<readonly string[]> {
    return asking('listing the topics of Kafka', () => this.#admin.listTopics());
  }

  /** Finds out what there is to read between two times (milliseconds since 1970), at most to the ends that the partitions have now. */
  async plan(topic: string, from: number, to: number): Promise<TopicPlan> {
    const known = await this.topics();
    if (!known.includes(topic)) return { topic, exists: false, compacted: null, truncatedUntil: null, ranges: [] };
    return asking(`asking Kafka for the offsets of ${topic}`, async () => {
      await this.#consumer.metadata({ topics: [topic], forceUpdate: true });
      const earliest = await this.#offsets(topic, EARLIEST);
      const latest = await this.#offsets(topic, LATEST);
      const begins = await this.#offsetsAt(topic, from);
      const ends = await this.#offsetsAt(topic, to);
      const truncated: number[] = [];
      const ranges = latest.map((last, partition) => {
        const found = begins.get(partition);
        const first = earliest[partition] ?? 0n;
        const begin = found?.offset ?? last;
        // the first of the window is the first that is left: some before it may be gone
        if (first > 0n && begin <= first) truncated.push(found?.timestamp ?? Date.now());
        return { partition, begin, end: ends.get(partition)?.offset ?? last };
      });
      const truncatedUntil = truncated.length === 0 ? null : Math.max(...truncated);
      return { topic, exists: true, compacted: await this.#isCompacted(topic), truncatedUntil, ranges };
    });
  }

  /**
   * Visits all records of a plan, each partition's in order.
   *
   * @param advanced told by how many offsets reading has gone on
   * @throws RelayError `broker_*`
   */
  async read(
    { topic, ranges }: TopicPlan,
    visit: (record: LogRecord) => void,
    advanced: (offsets: number) => void,
  ): Promise<void> {
    for (const { partition, begin, end } of ranges) {
      let idle = 0;
      for (let next = begin; next < end;) {
        const before = next;
        next = await this.#fetch(topic, partition, next, end, visit);
        idle = next > before ? 0 : idle + 1;
        advanced(Number(next - before));
        if (idle > IDLE_ANSWERS)
          throw new RelayError('broker_timeout', `reading ${topic}/${partition}: nothing comes from offset ${next} on`);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#consumer.close().catch(() => undefined), this.#admin.close().catch(() => undefined)]);
  }

  async #offsets(topic: string, timestamp: bigint): Promise<readonly bigint[]> {
    return (await this.#consumer.listOffsets({ topics: [topic], timestamp })).get(topic) ?? [];
  }

  /** The first record of each partition that has a time or a later one; partitions without such a record are left out. */
  async #offsetsAt(topic: string, time: number): Promise<ReadonlyMap<number, { offset: bigint; timestamp: number }>> {
    const request = { topics: [topic], timestamp: BigInt(Math.ceil(Math.max(0, time))) };
    const found = (await this.#consumer.listOffsetsWithTimestamps(request)).get(topic) ?? new Map<number, never>();
    const there = [...found].filter(([, { offset }]) => offset >= 0n);
    return new Map(
      there.map(([partition, { offset, timestamp }]) => [partition, { offset, timestamp: Number(timestamp) }]),
    );
  }

  async #isCompacted(topic: string): Promise<boolean | null> {
    try {
      const resource = {
        resourceType: this.#topicResource,
        resourceName: topic,
        configurationKeys: ['cleanup.policy'],
      };
      const [description] = await this.#admin.describeConfigs({ resources: [resource] });
      const policy = description?.configs.find(({ name }) => name === 'cleanup.policy')?.value;
      return typeof policy === 'string' ? policy.split(',').includes('compact') : null;
    } catch {
      // needs DESCRIBE_CONFIGS, which the relay itself does not
      return null;
    }
  }

  /** One request. Returns the next offset. */
  #fetch(
    topic: string,
    partition: number,
    from: bigint,
    end: bigint,
    visit: (record: LogRecord) => void,
  ): Promise<bigint> {
    return asking(`reading ${topic}/${partition} from offset ${from}`, async () => {
      const metadata = await this.#consumer.metadata({ topics: [topic] });
      const found = metadata.topics.get(topic);
      const leader = found?.partitions[partition]?.leader;
      if (found === undefined || leader === undefined) throw new Error(`no partition ${partition}`);
      try {
        const answer = await this.#consumer.fetch({
          node: leader,
          topics: [{ topicId: found.id, partitions: [fetchPosition(partition, from)] }],
          minBytes: 1,
          maxBytes: FETCH_BYTES,
          maxWaitTime: FETCH_WAIT_MS,
        });
        return visitBatches(answer.responses[0]?.partitions[0]?.records ?? [], { topic, partition, from, end }, visit);
      } catch (error) {
        if (!isOutOfRange(error)) throw await this.#refreshed(topic, error);
        // deleted meanwhile by the topic's retention
        return max(from, (await this.#offsets(topic, EARLIEST))[partition] ?? from);
      }
    });
  }

  async #refreshed(topic: string, error: unknown): Promise<unknown> {
    await this.#consumer.metadata({ topics: [topic], forceUpdate: true }).catch(() => undefined);
    return error;
  }
}

/** Loads the client library. */
export async function openKafkaLog(options: KafkaOptions): Promise<KafkaLog> {
  return new KafkaLog(await import('@platformatic/kafka'), options);
}

interface Range {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  readonly end: bigint;
}

type Batches = NonNullable<
  Awaited<ReturnType<Consumer['fetch']>>['responses'][number]['partitions'][number]['records']
>;

function visitBatches(batches: Batches, range: Range, visit: (record: LogRecord) => void): bigint {
  const { topic, partition, from, end } = range;
  let next = from;
  for (const batch of batches) {
    next = max(next, batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n);
    if ((batch.attributes & CONTROL_BATCH) !== 0) continue;
    const appended = (batch.attributes & LOG_APPEND_TIME) === 0 ? null : batch.maxTimestamp;
    for (const { offsetDelta, timestampDelta, key, headers } of batch.records) {
      const offset = batch.firstOffset + BigInt(offsetDelta);
      // a fetch answers with the whole batch in which the offset lies
      if (offset < from || offset >= end) continue;
      visit({
        topic,
        partition,
        offset,
        timestamp: Number(appended ?? batch.firstTimestamp + timestampDelta),
        key: key?.toString() ?? null,
        header: (name) => headers.find(([given]) => given?.toString() === name)?.[1]?.toString() ?? null,
      });
    }
  }
  return next;
}

function fetchPosition(partition: number, fetchOffset: bigint) {
  return { partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, partitionMaxBytes: FETCH_BYTES };
}

function isOutOfRange(error: unknown): boolean {
  return flatten(error).some((shape) => shape.apiCode === OFFSET_OUT_OF_RANGE);
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

/** Tries again what may pass by itself, for some seconds. */
async function asking<T>(doing: string, ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (thrown) {
      const { error } = troubleOf(thrown, doing);
      if (!error.retryable || performance.now() > deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}
