import { TopicCursor, headerOf } from '../../support/kafka-reader.ts';
import { startKafka } from '../../support/services/kafka.ts';
import { Arrivals } from '../measure/arrivals.ts';
import type { Broker, Sink } from './broker.ts';

const PARTITIONS = 4;

/** A Kafka of one node, whose topics note when each message was appended: every contestant is measured by that. */
export async function startKafkaBroker(): Promise<Broker> {
  const kafka = await startKafka({ compiler: 'full', heap: '512m' });
  return {
    name: 'kafka',
    title: `Kafka ${kafka.version}, one node, ${PARTITIONS} partitions`,
    openSink: async (topic, rows): Promise<Sink> => {
      await kafka.createTopic(topic, { partitions: PARTITIONS, config: { 'message.timestamp.type': 'LogAppendTime' } });
      const cursor = new TopicCursor({ brokers: kafka.brokers, topic });
      return {
        target: { broker: 'kafka', brokers: kafka.brokers, topic, partitions: PARTITIONS },
        count: async () => Number((await cursor.endOffsets()).reduce((sum, end) => sum + end, 0n)),
        listen: () => Promise.resolve(),
        collect: async () => {
          const arrivals = new Arrivals(rows);
          await cursor.readToEnd((record) =>
            arrivals.add(headerOf(record, 'id') ?? '', record.value, Number(record.timestamp)),
          );
          return arrivals;
        },
        close: () => cursor.close(),
      };
    },
    dispose: () => kafka.dispose(),
  };
}
