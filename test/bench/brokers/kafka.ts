import { Consumer } from '@platformatic/kafka';
import { plainId } from '../../support/debezium-server.ts';
import { TopicCursor, headerOf } from '../../support/kafka-reader.ts';
import { startKafka } from '../../support/services/kafka.ts';
import { Arrivals } from '../measure/arrivals.ts';
import type { Broker, Expected, Sink } from './broker.ts';

const PARTITIONS = 4;

/** A Kafka of one node, whose topics note when each message was appended: every contestant is measured by that. */
export async function startKafkaBroker(): Promise<Broker> {
  const kafka = await startKafka({ compiler: 'full', heap: '512m' });
  return {
    name: 'kafka',
    title: `Kafka ${kafka.version}, one node, ${PARTITIONS} partitions`,
    openSink: async (name, expected) => {
      const sink = new TopicsSink(kafka.brokers, name, expected);
      const config = { 'message.timestamp.type': 'LogAppendTime' };
      for (const topic of sink.target.topics) await kafka.createTopic(topic, { partitions: PARTITIONS, config });
      return sink;
    },
    stop: () => kafka.stop(),
    restart: () => kafka.restart(),
    pause: () => kafka.pause(),
    resume: () => kafka.resume(),
    dispose: () => kafka.dispose(),
  };
}

class TopicsSink implements Sink {
  readonly target: Extract<Sink['target'], { broker: 'kafka' }>;
  readonly #rows: number;
  readonly #counter: Consumer;

  constructor(brokers: readonly string[], name: string, { rows, types }: Expected) {
    const topics = types.map((type) => `${name}.${type}`);
    this.target = { broker: 'kafka', brokers, topicPrefix: `${name}.`, topics, partitions: PARTITIONS };
    this.#rows = rows;
    this.#counter = new Consumer({
      clientId: 'counter',
      groupId: 'counter',
      bootstrapBrokers: [...brokers],
      autocreateTopics: false,
      retries: 20,
      retryDelay: 250,
    });
  }

  async count(): Promise<number> {
    const ends = await this.#counter.listOffsets({ topics: [...this.target.topics], timestamp: -1n });
    return [...ends.values()].flat().reduce((sum, end) => sum + Number(end), 0);
  }

  listen(): Promise<void> {
    return Promise.resolve();
  }

  async collect(check: 'ids' | 'count'): Promise<Arrivals> {
    const { brokers, topics } = this.target;
    const arrivals = new Arrivals(this.#rows);
    for (const topic of topics) {
      await using cursor = new TopicCursor({ brokers, topic });
      await cursor.readToEnd((record) => {
        const at = Number(record.timestamp);
        if (check === 'count') arrivals.addAnonymous(at);
        else arrivals.add(plainId(headerOf(record, 'id') ?? ''), record.value, at);
      });
    }
    return arrivals;
  }

  close(): Promise<void> {
    return this.#counter.close();
  }
}
