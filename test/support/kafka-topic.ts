import kafkajs from 'kafkajs';
import { until } from './services/until.ts';
import { uniqueName } from './unique-name.ts';

/** Creates a topic with a name of its own on the shared Kafka, and resolves with the name when it can be written. */
export async function freshTopic(brokers: string, partitions = 3): Promise<string> {
  const topic = uniqueName('topic');
  await createTopic(brokers, topic, partitions);
  return topic;
}

/** Creates a topic and resolves when each partition has a leader that takes messages. */
export function createTopic(brokers: string, topic: string, partitions = 3): Promise<void> {
  return withAdmin(brokers, async (admin) => {
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: false });
    const ready = async (): Promise<boolean> => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const found = topics[0]?.partitions ?? [];
      if (found.length !== partitions || found.some(({ leader }) => leader < 0)) return false;
      // A broker is named as the leader before it has opened the log: a client that it refuses one partition sends all of them again.
      await admin.fetchTopicOffsets(topic);
      return true;
    };
    await until(ready, { what: `the leaders of ${topic}` });
  });
}

/** Deletes a topic and resolves when the brokers do not know it any more. */
export function deleteTopic(brokers: string, topic: string): Promise<void> {
  return withAdmin(brokers, async (admin) => {
    await admin.deleteTopics({ topics: [topic] });
    await until(async () => !(await admin.listTopics()).includes(topic), { what: `the end of ${topic}` });
  });
}

/** Lets a topic take messages of up to so many bytes. */
export function setMaxMessageBytes(brokers: string, topic: string, bytes: number): Promise<void> {
  return withAdmin(brokers, async (admin) => {
    const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries };
    await admin.alterConfigs({ validateOnly: false, resources: [resource] });
  });
}

async function withAdmin(brokers: string, act: (admin: kafkajs.Admin) => Promise<unknown>): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  try {
    await act(admin);
  } finally {
    await admin.disconnect();
  }
}
