import { randomInt } from 'node:crypto';
import { assertMaySend } from '../../fence.ts';
import type { Batch } from '../batch.ts';
import {
  shareName,
  type KafkaDriver,
  type PartitionAnswer,
  type SendFailure,
  type TopicDescription,
} from '../driver.ts';
import { answerTrouble, troubleOf, type KafkaTrouble } from '../errors.ts';
import type { KafkaOptions } from '../options.ts';
import { brokerTimeoutMs, type Library } from '../platformatic-client.ts';
import { Cluster, type BrokerShares } from './cluster.ts';
import { Delivery } from './delivery.ts';
import { exchange } from './exchange.ts';
import { produceRequestSize, writeProduceRequest } from './produce-request.ts';
import type { Codec, RecordBatchTools } from './record-batch.ts';
import type { ProducerState } from './producer-state.ts';
import { RecordWriter } from './record-writer.ts';
import { RequestBuffer } from './request-buffer.ts';

/**
 * {@link KafkaDriver} that writes its Produce requests itself, from the messages into one buffer, over the connections
 * of `@platformatic/kafka`. Producer id and sequence numbers are its own: a batch that is repeated goes under the same,
 * over new connections too, and without the partitions that have stored it.
 */
export class DirectDriver implements KafkaDriver {
  readonly repeatsSafely = true;
  readonly #library: Library;
  readonly #options: KafkaOptions;
  readonly #tools: RecordBatchTools;
  readonly #buffer = new RequestBuffer();
  #cluster: Cluster | null = null;
  #producer: ProducerState | null = null;
  #delivery: Delivery | null = null;
  #leadersInDoubt = false;
  /** With which of the brokers to begin; another one after each failure, since this one may hang. */
  #first: number;

  constructor(library: Library, options: KafkaOptions) {
    this.#library = library;
    this.#options = options;
    this.#first = randomInt(Math.max(1, options.brokers.length));
    this.#tools = {
      records: new RecordWriter(),
      // the writer spares the library a copy
      crc32c: (bytes) => library.crc32c(library.Writer.create().append(bytes).dynamicBuffer),
      codec: codecOf(library, options),
    };
  }

  async connect(): Promise<void> {
    await this.#ask(async (cluster) => {
      await cluster.produceVersion();
      await this.#currentProducer(cluster);
    });
  }

  brokerCount(): Promise<number> {
    return this.#ask((cluster) => cluster.brokerCount());
  }

  describe(topic: string): Promise<TopicDescription | null> {
    return this.#ask((cluster) => cluster.describe(topic));
  }

  async send(batch: Batch, maySend: () => boolean): Promise<SendFailure | null> {
    // what came after a batch that failed would be numbered as if that had not been stored
    if (this.#delivery !== null && this.#delivery.batch !== batch) this.renew();
    try {
      return await this.#ask((cluster) => this.#attempt(cluster, batch, maySend));
    } catch (error) {
      return { trouble: troubleOf(error, 'publishing to Kafka'), answers: this.#delivery?.answers ?? new Map() };
    }
  }

  renew(): void {
    this.#producer = null;
    this.#delivery = null;
    this.#leave();
  }

  async close(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = null;
    await cluster?.drop();
  }

  /** Asks the cluster; when no answer comes, its connections are given up, and another broker is asked next time. */
  async #ask<T>(question: (cluster: Cluster) => Promise<T>): Promise<T> {
    const cluster = (this.#cluster ??= new Cluster(this.#library, this.#rotated()));
    try {
      return await question(cluster);
    } catch (error) {
      if (this.#cluster === cluster) this.#leave();
      throw error;
    }
  }

  #rotated(): KafkaOptions {
    const { brokers } = this.#options;
    const first = this.#first % Math.max(1, brokers.length);
    return { ...this.#options, brokers: [...brokers.slice(first), ...brokers.slice(0, first)] };
  }

  /** What is on its way may still be sent after this: the buffer is left to the sockets. */
  #leave(): void {
    this.#buffer.abandon();
    void this.#cluster?.drop();
    this.#cluster = null;
    this.#leadersInDoubt = false;
    this.#first++;
  }

  async #currentProducer(cluster: Cluster): Promise<ProducerState> {
    this.#producer ??= await cluster.newProducer();
    return this.#producer;
  }

  /** One request to each leader, all at the same time. Throws when the cluster could not be asked who leads. */
  async #attempt(cluster: Cluster, batch: Batch, maySend: () => boolean): Promise<SendFailure | null> {
    const version = await cluster.produceVersion();
    const delivery = (this.#delivery ??= new Delivery(batch, await this.#currentProducer(cluster)));
    delivery.begin();
    const { led, unled } = await cluster.leaders(delivery.unstored(), this.#leadersInDoubt);
    delivery.answered(unled);
    const buffer = this.#buffer.take(led.reduce((sum, { shares }) => sum + produceRequestSize(shares), 0));
    const attempt = { cluster, version, delivery, maySend, buffer };
    let next = 0;
    const requests = led.map((part) => {
      const start = next;
      next += produceRequestSize(part.shares);
      return this.#request(attempt, part, start);
    });
    const errors = (await Promise.all(requests)).filter((error) => error !== null);
    if (errors.length > 0) throw new AggregateError(errors);
    return this.#outcome(delivery);
  }

  /**
   * Sends one broker what it leads and takes the answer down; returns why there is none.
   *
   * @param start from where on the buffer is this request's
   */
  async #request(attempt: Attempt, { broker, shares }: BrokerShares, start: number): Promise<unknown> {
    const { cluster, version, delivery, maySend, buffer } = attempt;
    try {
      const connection = await cluster.connection(broker);
      assertMaySend({ maySend });
      const { producer, batch } = delivery;
      const timeoutMs = brokerTimeoutMs(this.#options);
      const end = writeProduceRequest(buffer, start, { batch, shares, timeoutMs, producer }, this.#tools);
      const body = this.#library.Writer.create().append(buffer.subarray(start, end));
      delivery.answered(await exchange(connection, { version, body, asked: new Set(shares.map(shareName)) }));
      return null;
    } catch (error) {
      return error;
    }
  }

  #outcome(delivery: Delivery): SendFailure | null {
    const trouble = worstTrouble(delivery.answers);
    this.#leadersInDoubt = trouble !== null;
    if (trouble === null) {
      if (this.#delivery === delivery) this.#delivery = null;
      return null;
    }
    return { trouble, answers: delivery.answers };
  }
}

/** What the requests of one {@link KafkaDriver.send} share. */
interface Attempt {
  readonly cluster: Cluster;
  /** Of Produce requests. */
  readonly version: number;
  readonly delivery: Delivery;
  readonly maySend: () => boolean;
  readonly buffer: Buffer;
}

/** What the answers come to: null when all is stored. One that asks for the same batch again goes before the others. */
function worstTrouble(answers: ReadonlyMap<string, PartitionAnswer>): KafkaTrouble | null {
  let worst: KafkaTrouble | null = null;
  for (const [name, { code }] of answers) {
    if (code === 0) continue;
    const trouble = answerTrouble(code, `publishing to ${name}`);
    if (worst === null || (trouble.repeat && !worst.repeat)) worst = trouble;
  }
  return worst;
}

function codecOf(library: Library, { compression }: KafkaOptions): Codec | null {
  if (compression === 'none') return null;
  const { bitmask, compressSync } = library.compressionsAlgorithms[compression];
  return { bitmask, compress: compressSync };
}
