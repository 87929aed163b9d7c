import type { Batch, PartitionShare } from './batch.ts';
import type { KafkaTrouble } from './errors.ts';

/** What the broker said of one partition of a request. */
export interface PartitionAnswer {
  /** Kafka's error code; 0: stored. */
  readonly code: number;
  /** Which records are at fault, as positions among the members of its share; empty where it is not told. */
  readonly culprits: readonly number[];
}

/** A batch that was not stored as a whole. */
export interface SendFailure {
  readonly trouble: KafkaTrouble;
  /** What is known of single partitions, by {@link partitionName}; of a partition that is absent nothing is known. */
  readonly answers: ReadonlyMap<string, PartitionAnswer>;
}

/** A topic as the cluster describes it. */
export interface TopicDescription {
  readonly partitions: number;
  /** The fewest replicas that one of its partitions has. */
  readonly replicas: number;
}

/**
 * One way to the brokers behind the session: an idempotent producer with acks=all that repeats nothing by itself.
 *
 * The hazard that this interface is shaped by: the libraries number records by what they believe to be stored. After
 * a batch that failed, a *different* one on the same producer may be taken for a repetition by the broker and be
 * lost without an error. So a failed batch is followed by the very same one, where {@link repeatsSafely}, or by
 * {@link renew}.
 */
export interface KafkaDriver {
  /** Whether a batch with {@link KafkaTrouble.repeat} may be sent again, the same object, without {@link renew}: the broker then knows it again. */
  readonly repeatsSafely: boolean;
  /** Connects, logs in, and obtains a producer id. Rejects with the library's error. */
  connect(): Promise<void>;
  /** How many brokers the cluster has. Rejects with the library's error. */
  brokerCount(): Promise<number>;
  /** Asks the cluster for a topic; null: it has none of that name. Rejects with the library's error. */
  describe(topic: string): Promise<TopicDescription | null>;
  /**
   * Sends one batch; must not be called again before it settled. Never rejects; null: all of it is stored durably.
   *
   * @param maySend asked once more right before bytes are written, by a driver that can: finding the leaders may have
   *   taken its time. False: the request is not sent, and fails
   */
  send(batch: Batch, maySend: () => boolean): Promise<SendFailure | null>;
  /** Drops the producer, and what is open of it; the next call makes a new one, with a new producer id. */
  renew(): void;
  /** Drops everything without waiting for the broker. Never rejects. */
  close(): Promise<void>;
}

/** The key of {@link SendFailure.answers}. */
export function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** {@link partitionName} of a share. */
export function shareName({ topic, partition }: PartitionShare): string {
  return partitionName(topic, partition);
}
