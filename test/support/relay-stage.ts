import type { WrittenEvent } from './workload/transaction.ts';
import { readTopic } from './kafka-reader.ts';
import { freshTopic } from './kafka-topic.ts';
import { type RelayOutbox, relayOutbox, type RelayOutboxOptions, type RelaySettings } from './relay-outbox.ts';
import type { RelayConfig } from './relay-process.ts';
import { eventsInTopic } from './workload/arrivals.ts';
import { startWorkload, type Workload, type WorkloadOptions } from './workload/workload.ts';

/** All that a test of the relay with one Kafka destination, `kafka`, begins with. */
export interface KafkaStage {
  readonly outbox: RelayOutbox;
  readonly topic: string;
  readonly config: RelayConfig;
  /** Begins to write to the outbox. */
  write(seed: number, options?: Partial<WorkloadOptions>): Promise<Workload>;
  /** What has arrived in the topic so far. */
  arrived(): Promise<WrittenEvent[]>;
  /** The keys of what has arrived, in the order of each partition. */
  keys(): Promise<string[]>;
}

/** An outbox and a topic of their own, and the configuration that joins them. */
export async function kafkaStage(
  databaseUrl: string,
  brokers: string,
  settings: Partial<RelaySettings> = {},
  outboxOptions: RelayOutboxOptions = {},
): Promise<KafkaStage> {
  const outbox = await relayOutbox(databaseUrl, outboxOptions);
  const topic = await freshTopic(brokers);
  return {
    outbox,
    topic,
    config: outbox.config({
      destinations: { kafka: { type: 'kafka', brokers } },
      routes: [{ destination: 'kafka', topic }],
      ...settings,
    }),
    write: (seed, options) => startWorkload({ url: databaseUrl, outbox: outbox.name, seed, ...options }),
    arrived: async () => eventsInTopic(await readTopic(brokers, topic)),
    keys: async () => (await readTopic(brokers, topic)).map(({ key }) => key?.toString() ?? ''),
  };
}
