import kafkajs from 'kafkajs';
import { uniqueName } from './service.ts';
import { until } from './services/until.ts';

/** Creates a topic with a name of its own on the shared Kafka, and resolves with the name when it can be written. */
export async function freshTopic(brokers: string, partitions = 3): Promise<string> {
  const topic = uniqueName('topic');
  await createTopic(brokers, topic, partitions);
  return topic;
}

/** Creates a topic and resolves when each partition has a leader. */
export async function createTopic(brokers: string, topic: string, partitions = 3): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: false });
    const ready = async (): Promise<boolean> => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const found = topics[0]?.partitions ?? [];
      return found.length === partitions && found.every(({ leader }) => leader >= 0);
    };
    await until(ready, { what: `the leaders of ${topic}` });
  } finally {
    await admin.disconnect();
  }
}
