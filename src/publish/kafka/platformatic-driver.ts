import type { Batch, PartitionShare } from './batch.ts';
import {
  partitionName,
  shareName,
  type KafkaDriver,
  type PartitionAnswer,
  type SendFailure,
  type TopicDescription,
} from './driver.ts';
import { flatten, troubleOf } from './errors.ts';
import type { KafkaOptions } from './options.ts';
import {
  countBrokers,
  describeTopic,
  dropProducer,
  newProducer,
  type BytesProducer,
  type Library,
} from './platformatic-client.ts';
import { recordsOf } from './record.ts';

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

  brokerCount(): Promise<number> {
    return countBrokers(this.#current());
  }

  describe(topic: string): Promise<TopicDescription | null> {
    return describeTopic(this.#current(), topic);
  }

  async send(batch: Batch): Promise<SendFailure | null> {
    const { shares } = batch;
    try {
      const producer = this.#current();
      if (this.#leadersInDoubt) {
        // the library would ask the dead leader again until its metadata are too old
        const topics = [...new Set(shares.map(({ topic }) => topic))];
        await producer.metadata({ topics, forceUpdate: true, autocreateTopics: false });
        this.#leadersInDoubt = false;
      }
      const messages = recordsOf(batch) as unknown as Parameters<BytesProducer['send']>[0]['messages'];
      const { offsets } = await producer.send({ messages });
      return allStored(shares, offsets ?? []);
    } catch (error) {
      this.#leadersInDoubt = true;
      return {
        trouble: troubleOf(error, 'publishing to Kafka'),
        answers: answersIn(error, new Set(shares.map(shareName))),
      };
    }
  }

  renew(): void {
    const producer = this.#producer;
    this.#producer = null;
    this.#leadersInDoubt = false;
    if (producer !== null) void dropProducer(producer);
  }

  async close(): Promise<void> {
    if (this.#producer !== null) await dropProducer(this.#producer);
  }

  #current(): BytesProducer {
    this.#producer ??= newProducer(this.#library, this.#options);
    return this.#producer;
  }
}

/** Checks that the answer names every partition: a promise that resolved is not taken for more than it says. */
function allStored(
  shares: readonly PartitionShare[],
  offsets: readonly { readonly topic: string; readonly partition: number }[],
): SendFailure | null {
  const answered = new Map(
    offsets.map(({ topic, partition }) => [partitionName(topic, partition), { code: 0, culprits: [] }]),
  );
  for (const name of shares.map(shareName)) {
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
