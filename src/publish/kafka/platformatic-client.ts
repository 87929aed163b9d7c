import type * as PlatformaticKafka from '@platformatic/kafka';
import type { Producer, ProducerOptions } from '@platformatic/kafka';
import type { TopicDescription } from './driver.ts';
import { troubleOf, UNKNOWN_TOPIC_OR_PARTITION } from './errors.ts';
import type { KafkaOptions } from './options.ts';
import { connectionOptions } from './platformatic-connection.ts';

/** The module `@platformatic/kafka`, which takes a quarter of a second to load. */
export type Library = typeof PlatformaticKafka;
/** The library's producer, of bytes. */
export type BytesProducer = Producer;

/** The part of the request time-out that the broker may use; the rest is for the way. */
const BROKER_SHARE = 0.75;

/** The topics are refreshed by the session; the client's own cache only has to know leaders between failures. */
const METADATA_MAX_AGE_MS = 300_000;

/** For how long a broker may wait for its replicas, in milliseconds. */
export function brokerTimeoutMs({ requestTimeoutMs }: KafkaOptions): number {
  return Math.ceil(requestTimeoutMs * BROKER_SHARE);
}

/** A producer that repeats nothing by itself. It connects when it is asked for something. */
export function newProducer(library: Library, options: KafkaOptions): BytesProducer {
  // a new object each time: the library writes into it
  const producerOptions: ProducerOptions<Buffer, Buffer, Buffer, Buffer> = {
    ...connectionOptions(options),
    idempotent: true,
    acks: library.ProduceAcks.ALL,
    // for an idempotent producer only `false` means none: other small values become 2^53 - 1
    retries: false,
    timeout: brokerTimeoutMs(options),
    metadataMaxAge: METADATA_MAX_AGE_MS,
    repeatOnStaleMetadata: false,
    strict: true,
    maxInflights: 1,
    compression: options.compression,
  };
  return new library.Producer(producerOptions);
}

/** How many brokers the cluster has. Rejects with the library's error. */
export async function countBrokers(producer: BytesProducer): Promise<number> {
  const metadata = await producer.metadata({ topics: [], forceUpdate: true });
  return metadata.brokers.size;
}

/** Asks the cluster for a topic; null: it has none of that name. Rejects with the library's error. */
export async function describeTopic(producer: BytesProducer, topic: string): Promise<TopicDescription | null> {
  try {
    const metadata = await producer.metadata({ topics: [topic], forceUpdate: true, autocreateTopics: false });
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

/** Closes without waiting for requests; resolves even when closing fails. */
export function dropProducer(producer: BytesProducer): Promise<void> {
  return new Promise((resolve) => {
    producer.close(true, () => resolve());
  });
}
