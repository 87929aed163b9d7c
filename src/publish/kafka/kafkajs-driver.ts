import type * as Kafkajs from 'kafkajs';
import type { Admin, Kafka, Message, Producer, TopicMessages } from 'kafkajs';
import { RelayError } from '../../core/errors.ts';
import { current } from '../../core/renewal.ts';
import type { Batch } from './batch.ts';
import { partitionName, shareName, type KafkaDriver, type SendFailure, type TopicDescription } from './driver.ts';
import { troubleOf } from './errors.ts';
import { kafkajsSasl } from './kafkajs-sasl.ts';
import { bearerTokens } from './oauth-tokens.ts';
import type { KafkaOptions } from './options.ts';
import { recordsOf, type KafkaRecord } from './record.ts';
import { tlsOptions } from '../tls.ts';

type Library = Pick<typeof Kafkajs, 'Kafka' | 'CompressionTypes' | 'Partitioners' | 'logLevel'>;

/** The library insists on one repetition for an idempotent producer; it uses the same sequence numbers. */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 1_000 } as const;
const BROKER_SHARE = 0.75;

/**
 * {@link KafkaDriver} on `kafkajs`. Its errors never tell which record or partition failed, and it takes sequence
 * numbers back after a failure, so every failed request is followed by a new producer.
 */
export class KafkajsDriver implements KafkaDriver {
  readonly repeatsSafely = false;
  readonly #library: Library;
  readonly #options: KafkaOptions;
  readonly #kafka: Kafka;
  #producer: Promise<Producer> | null = null;
  #admin: Promise<Admin> | null = null;

  /** @throws RelayError `credentials_unusable` */
  constructor(library: Library, given: KafkaOptions) {
    const options = current(given);
    if (options.compression !== 'none' && options.compression !== 'gzip')
      throw new RelayError(
        'config_invalid',
        `compression: ${options.compression} is not to be had with driver: kafkajs`,
        {
          remedy: 'Use gzip or none, or another driver.',
        },
      );
    this.#library = library;
    this.#options = options;
    this.#kafka = new library.Kafka({
      clientId: options.clientId,
      brokers: [...options.brokers],
      connectionTimeout: options.connectTimeoutMs,
      authenticationTimeout: options.connectTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      retry: RETRY,
      logLevel: library.logLevel.NOTHING,
      ...(options.tls === null ? {} : { ssl: tlsOptions(options.tls) }),
      ...kafkajsSasl(options, options.bearerToken ?? bearerTokens(given)),
    });
  }

  async connect(): Promise<void> {
    await this.#currentProducer();
  }

  async brokerCount(): Promise<number> {
    const admin = await this.#currentAdmin();
    return (await admin.describeCluster()).brokers.length;
  }

  /** Asks for all topics: asking for one by name would create it where the brokers allow that. */
  async describe(topic: string): Promise<TopicDescription | null> {
    const admin = await this.#currentAdmin();
    const found = (await admin.fetchTopicMetadata()).topics.find(({ name }) => name === topic);
    if (found === undefined || found.partitions.length === 0) return null;
    return {
      partitions: found.partitions.length,
      replicas: Math.min(...found.partitions.map(({ replicas }) => replicas.length)),
    };
  }

  async send(batch: Batch): Promise<SendFailure | null> {
    try {
      const producer = await this.#currentProducer();
      const answers = await producer.sendBatch({
        acks: -1,
        timeout: Math.ceil(this.#options.requestTimeoutMs * BROKER_SHARE),
        compression:
          this.#options.compression === 'gzip'
            ? this.#library.CompressionTypes.GZIP
            : this.#library.CompressionTypes.None,
        topicMessages: byTopic(recordsOf(batch)),
      });
      const answered = new Set(answers.map(({ topicName, partition }) => partitionName(topicName, partition)));
      // a partition that the topic does not have is left out without an error
      for (const name of batch.shares.map(shareName)) if (!answered.has(name)) throw new Error(`no answer for ${name}`);
      return null;
    } catch (error) {
      return { trouble: troubleOf(error, 'publishing to Kafka'), answers: new Map() };
    }
  }

  renew(): void {
    void drop(this.#producer);
    void drop(this.#admin);
    this.#producer = null;
    this.#admin = null;
  }

  async close(): Promise<void> {
    await Promise.all([drop(this.#producer), drop(this.#admin)]);
  }

  #currentProducer(): Promise<Producer> {
    this.#producer ??= this.#connected(
      this.#kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: this.#library.Partitioners.DefaultPartitioner,
        retry: RETRY,
      }),
      () => (this.#producer = null),
    );
    return this.#producer;
  }

  #currentAdmin(): Promise<Admin> {
    this.#admin ??= this.#connected(this.#kafka.admin({ retry: RETRY }), () => (this.#admin = null));
    return this.#admin;
  }

  /** A client that could not connect is not kept: the next call tries a new one. */
  async #connected<Client extends Producer | Admin>(client: Client, forget: () => void): Promise<Client> {
    try {
      await client.connect();
      return client;
    } catch (error) {
      forget();
      await client.disconnect().catch(() => undefined);
      throw error;
    }
  }
}

async function drop(client: Promise<Producer | Admin> | null): Promise<void> {
  try {
    await (await client)?.disconnect();
  } catch {
    // it is given up in any case
  }
}

function byTopic(records: readonly KafkaRecord[]): TopicMessages[] {
  const topics = new Map<string, Message[]>();
  for (const record of records) {
    const messages = topics.get(record.topic);
    if (messages === undefined) topics.set(record.topic, [toMessage(record)]);
    else messages.push(toMessage(record));
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}

function toMessage({ partition, key, value, headers, timestamp }: KafkaRecord): Message {
  const named: Record<string, Buffer | Buffer[]> = Object.create(null) as Record<string, Buffer | Buffer[]>;
  for (const [bytes, content] of headers) {
    const name = bytes.toString();
    const before = named[name];
    named[name] = before === undefined ? content : [...(Array.isArray(before) ? before : [before]), content];
  }
  return { partition, key, value, headers: named, timestamp: timestamp.toString() };
}
