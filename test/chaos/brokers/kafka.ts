import { kafkaSink } from '../../support/debezium-server.ts';
import { TopicReader } from '../../support/kafka-reader.ts';
import { startKafka } from '../../support/services/kafka.ts';
import { TcpProxy } from '../../support/services/tcp-proxy.ts';
import { eventsInTopic } from '../../support/workload/arrivals.ts';
import type { Broker, Sink } from './broker.ts';

const PARTITIONS = 4;

/** A Kafka of one node. Its topics keep what they have acknowledged: only processes are killed, never the machine. */
export async function startKafkaBroker(): Promise<Broker> {
  const proxy = await TcpProxy.start();
  const kafka = await startKafka({ advertised: [proxy.address] });
  const [host = '', port] = kafka.addresses.plaintext[0]!.split(':');
  proxy.target = { host, port: Number(port) };
  return {
    title: `Kafka ${kafka.version}, one node`,
    proxy,
    openSink: async (topic, { kafkaDriver: driver, settings }): Promise<Sink> => {
      await kafka.createTopic(topic, { partitions: PARTITIONS });
      const brokers = [proxy.address];
      const destination = { type: 'kafka', driver, brokers, requestTimeout: '3s', retryFor: settings.retryFor };
      return {
        config: { destinations: { kafka: destination }, routes: [{ destination: 'kafka', topic }] },
        debezium: kafkaSink(brokers, topic),
        arrived: async () => {
          await using reader = new TopicReader({ brokers, topic });
          return eventsInTopic(await reader.readToEnd());
        },
        trouble: (what) => Promise.reject(new Error(`Kafka knows no ${what}`)),
      };
    },
    kill: () => kafka.kill(),
    restart: () => kafka.restart(),
    pause: () => kafka.pause(),
    resume: () => kafka.resume(),
    dispose: async () => {
      await proxy.dispose();
      await kafka.dispose();
    },
  };
}
