import type * as PlatformaticKafka from '@platformatic/kafka';
import type { Producer, ProducerOptions } from '@platformatic/kafka';
import {
  partitionName,
  partitionNames,
  type KafkaDriver,
  type PartitionAnswer,
  type SendFailure,
  type TopicDescription,
} from './driver.ts';
import { flatten, troubleOf, UNKNOWN_TOPIC_OR_PARTITION } from './errors.ts';
import type { KafkaOptions } from './options.ts';
import { connectionOptions } from './platformatic-connection.ts';
import type { KafkaRecord } from './record.ts';

type Library = typeof PlatformaticKafka;
type BytesProducer = Producer;
type BytesProducerOptions = ProducerOptions<Buffer, Buffer, Buffer, Buffer>;

/** The part of the request time-out that the broker may use; the rest is for the way. */
const BROKER_SHARE = 0.75;

/** The topics are refreshed by the session; the client's own cache only has to know leaders between failures. */
const METADATA_MAX_AGE_MS = 300_000;

/** {@link KafkaDriver} on `@platformatic/kafka`. */
export class PlatformaticDriver implements KafkaDriver {
  readonly repeatsSafely = true;
  readonly #library: Library;
  readonly #options: KafkaOptions;
  #producer: BytesProducer | null = null;
  #leadersInDoubt = false;

  constructor(library: Library, options: KafkaOptions) {
    this.#library = library;
    this.#options = options;
  }

  async connect(): Promise<void> {
    await this.#current().initIdempotentProducer({});
  }

  async brokerCount(): Promise<number> {
    const metadata = await this.#current().metadata({ topics: [], forceUpdate: true });
    return metadata.brokers.size;
  }

  async describe(topic: string): Promise<TopicDescription | null> {
    try {
      const metadata = await this.#current().metadata({ topics: [topic], forceUpdate: true, autocreateTopics: false });
      const found = metadata.topics.get(topic);
      if (found === undefined || found.partitionsCount === 0) return null;
      return {
        partitions: found.partitionsCount,
        replicas: Math.min(...found.partitions.map((partition) => partition.replicas.length)),
      };
    } catch (error) {
      // asked for one topic, the library's only user error is that it is unknown
      if (troubleOf(error, 'asking Kafka for a topic').brokerCode === UNKNOWN_TOPIC_OR_PARTITION) return null;
      throw error;
    }
  }

  async send(records: readonly KafkaRecord[]): Promise<SendFailure | null> {
    const producer = this.#current();
    try {
      if (this.#leadersInDoubt) {
        // the library would ask the dead leader again until its metadata are too old
        const topics = [...new Set(records.map(({ topic }) => topic))];
        await producer.metadata({ topics, forceUpdate: true, autocreateTopics: false });
        this.#leadersInDoubt = false;
      }
      const messages = records as unknown as Parameters<BytesProducer['send']>[0]['messages'];
      const { offsets } = await producer.send({ messages });
      return allStored(records, offsets ?? []);
    } catch (error) {
      this.#leadersInDoubt = true;
      return { trouble: troubleOf(error, 'publishing to Kafka'), answers: answersIn(error, partitionNames(records)) };
    }
  }

  renew(): void {
    const producer = this.#producer;
    this.#producer = null;
    this.#leadersInDoubt = false;
    if (producer !== null) void dropped(producer);
  }

  async close(): Promise<void> {
    if (this.#producer !== null) await dropped(this.#producer);
  }

  #current(): BytesProducer {
    this.#producer ??= new this.#library.Producer(this.#producerOptions());
    return this.#producer;
  }

  /** A new object each time: the library writes into it. */
  #producerOptions(): BytesProducerOptions {
    const { compression, requestTimeoutMs } = this.#options;
    return {
      ...connectionOptions(this.#options),
      idempotent: true,
      acks: this.#library.ProduceAcks.ALL,
      // for an idempotent producer only `false` means none: other small values become 2^53 - 1
      retries: false,
      timeout: Math.ceil(requestTimeoutMs * BROKER_SHARE),
      metadataMaxAge: METADATA_MAX_AGE_MS,
      repeatOnStaleMetadata: false,
      strict: true,
      maxInflights: 1,
      compression,
    };
  }
}

/** Closes without waiting for requests; resolves even when closing fails. */
function dropped(producer: BytesProducer): Promise<void> {
  return new Promise((resolve) => {
    producer.close(true, () => resolve());
  });
}

/** Checks that the answer names every partition: a promise that resolved is not taken for more than it says. */
function allStored(
  records: readonly KafkaRecord[],
  offsets: readonly { readonly topic: string; readonly partition: number }[],
): SendFailure | null {
  const answered = new Map(
    offsets.map(({ topic, partition }) => [partitionName(topic, partition), { code: 0, culprits: [] }]),
  );
  for (const name of partitionNames(records)) {
    if (!answered.has(name))
      return { trouble: troubleOf(new Error(`no answer for ${name}`), 'publishing to Kafka'), answers: answered };
  }
  return null;
}

interface ProduceResponse {
  readonly responses: readonly {
    readonly name: string;
    readonly partitionResponses: readonly {
      readonly index: number;
      readonly errorCode: number;
      readonly recordErrors: readonly { readonly batchIndex: number }[];
    }[];
  }[];
}

/**
 * What the brokers said of single partitions: in the responses inside the error, and for brokers that took all of
 * theirs in `produced`. An answer for a partition that was not asked for is a misreading: then nothing is believed.
 */
export function answersIn(error: unknown, asked: ReadonlySet<string>): ReadonlyMap<string, PartitionAnswer> {
  const answers = new Map<string, PartitionAnswer>();
  for (const shape of flatten(error) as readonly { response?: unknown; produced?: ProducedSoFar }[]) {
    for (const { topic, partition } of shape.produced?.offsets ?? [])
      answers.set(partitionName(topic, partition), { code: 0, culprits: [] });
    if (!isProduceResponse(shape.response)) continue;
    for (const { name, partitionResponses } of shape.response.responses) {
      for (const { index, errorCode, recordErrors } of partitionResponses)
        answers.set(partitionName(name, index), {
          code: errorCode,
          culprits: recordErrors.map(({ batchIndex }) => batchIndex),
        });
    }
  }
  return [...answers.keys()].every((name) => asked.has(name)) ? answers : new Map();
}

interface ProducedSoFar {
  readonly offsets?: readonly { readonly topic: string; readonly partition: number }[];
}

function isProduceResponse(value: unknown): value is ProduceResponse {
  if (typeof value !== 'object' || value === null || !('responses' in value)) return false;
  const responses: unknown = value.responses;
  return (
    Array.isArray(responses) &&
    responses.every((entry: unknown) => typeof entry === 'object' && entry !== null && 'partitionResponses' in entry)
  );
}
