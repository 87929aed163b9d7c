import { Admin, Consumer, type MessagesStream, MessagesStreamModes, stringDeserializers } from '@platformatic/kafka';
import { startKafka } from '../test/support/services/kafka.ts';
import type { DemoBroker, OnArrival } from './broker.ts';

const PARTITIONS = 6;

/** The Kafka of `$TEST_KAFKA_BROKERS`, else one that is started; with a topic and a consumer of the demo's own. */
export async function kafkaBroker(onArrival: OnArrival): Promise<DemoBroker> {
  const given = process.env.TEST_KAFKA_BROKERS;
  const own = given ? null : await startKafka();
  const brokers = own?.brokers ?? given?.split(',') ?? [];
  const topic = `outbox-demo-${Date.now()}`;
  const admin = new Admin({ clientId: 'outbox-demo', bootstrapBrokers: [...brokers] });
  await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: -1 });
  const consumer = new Consumer({
    clientId: 'outbox-demo',
    groupId: topic,
    bootstrapBrokers: [...brokers],
    deserializers: stringDeserializers,
  });
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    minBytes: 1,
    maxWaitTime: 500,
  });
  read(stream, onArrival);
  return {
    title: `Kafka at ${brokers.join(', ')}`,
    config: {
      destinations: { kafka: { type: 'kafka', brokers } },
      routes: [{ destination: 'kafka', topic }],
    },
    onLine: () => undefined,
    [Symbol.asyncDispose]: async () => {
      await stream.close();
      await consumer.close();
      if (own === null) await admin.deleteTopics({ topics: [topic] });
      await admin.close();
      await own?.dispose();
    },
  };
}

function read(stream: MessagesStream<string, string, string, string>, onArrival: OnArrival): void {
  stream.on('data', ({ partition, offset, key, value, headers }) => {
    const id = headers.get('id') ?? '';
    onArrival(id, `${partition}/${offset} ${key} ${headers.get('type') ?? ''} ${value}`);
  });
  // What the consumer misses is missing in the accounting, which then fails: the error itself must not end the demo.
  stream.on('error', () => undefined);
}
