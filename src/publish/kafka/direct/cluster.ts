import type { Broker, Connection } from '@platformatic/kafka';
import type { Socket } from 'node:net';
import type { PartitionShare } from '../batch.ts';
import { shareName, type PartitionAnswer, type TopicDescription } from '../driver.ts';
import { LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION } from '../errors.ts';
import type { KafkaOptions } from '../options.ts';
import {
  countBrokers,
  describeTopic,
  dropProducer,
  newProducer,
  type BytesProducer,
  type Library,
} from '../platformatic-client.ts';
import { ProducerState } from './producer-state.ts';
import { PRODUCE_MAX_VERSION, PRODUCE_MIN_VERSION } from './produce-request.ts';

/** The shares of a batch that one broker leads. */
export interface BrokerShares {
  readonly broker: Broker;
  readonly shares: readonly PartitionShare[];
}

/** Where the shares of a batch go. */
export interface Leaders {
  readonly led: readonly BrokerShares[];
  readonly unled: ReadonlyMap<string, PartitionAnswer>;
}

/** What the client library does here: connections with TLS and SASL, metadata, producer ids. All reject with its errors. */
export class Cluster {
  readonly #library: Library;
  readonly #producer: BytesProducer;
  #version: Promise<number> | null = null;

  /** Connects with the first question. */
  constructor(library: Library, options: KafkaOptions) {
    this.#library = library;
    this.#producer = newProducer(library, options);
  }

  /** A new producer id. */
  async newProducer(): Promise<ProducerState> {
    const { producerId, producerEpoch } = await this.#producer.initIdempotentProducer({});
    return new ProducerState(producerId, producerEpoch);
  }

  brokerCount(): Promise<number> {
    return countBrokers(this.#producer);
  }

  describe(topic: string): Promise<TopicDescription | null> {
    return describeTopic(this.#producer, topic);
  }

  /** The version of Produce requests that is spoken with the brokers. */
  produceVersion(): Promise<number> {
    this.#version ??= this.#negotiate();
    return this.#version;
  }

  /**
   * Sorts shares by the broker that leads their partition.
   *
   * @param refresh asks the cluster even for what is known: leaders have moved, or may have
   * @returns the brokers; and what would be the answer to the other shares, by partitionName
   */
  async leaders(shares: readonly PartitionShare[], refresh: boolean): Promise<Leaders> {
    const topics = [...new Set(shares.map(({ topic }) => topic))];
    const metadata = await this.#producer.metadata({ topics, forceUpdate: refresh, autocreateTopics: false });
    const led = new Map<Broker, PartitionShare[]>();
    const unled = new Map<string, PartitionAnswer>();
    for (const share of shares) {
      const partition = metadata.topics.get(share.topic)?.partitions[share.partition];
      const broker = partition === undefined ? undefined : metadata.brokers.get(partition.leader);
      const own = broker === undefined ? undefined : led.get(broker);
      if (broker === undefined) {
        const code = partition === undefined ? UNKNOWN_TOPIC_OR_PARTITION : LEADER_NOT_AVAILABLE;
        unled.set(shareName(share), { code, culprits: [] });
      } else if (own === undefined) led.set(broker, [share]);
      else own.push(share);
    }
    return { led: [...led].map(([broker, own]) => ({ broker, shares: own })), unled };
  }

  /** A connection that is logged in. */
  connection(broker: Broker): Promise<Connection> {
    return this.#producer.connections.get(broker);
  }

  /** Breaks all connections, whatever is on its way over them; never rejects. */
  drop(): Promise<void> {
    // none, in spite of its type, when the connection could not even be begun
    const sockets = [...this.#producer.connections].map(([, connection]): Socket | undefined => connection.socket);
    const dropped = dropProducer(this.#producer);
    // the library would wait until all that was written has been sent, which a broker that hangs never takes
    for (const socket of sockets) socket?.destroy();
    return dropped;
  }

  async #negotiate(): Promise<number> {
    try {
      const apis = await this.#producer.listApis();
      const produce = apis.find(({ name }) => name === 'Produce');
      const version = Math.min(PRODUCE_MAX_VERSION, produce?.maxVersion ?? 0);
      if (produce === undefined || version < PRODUCE_MIN_VERSION || version < produce.minVersion)
        throw new this.#library.UnsupportedApiError('The brokers speak no version of Produce that is known here.');
      return version;
    } catch (error) {
      this.#version = null;
      throw error;
    }
  }
}
