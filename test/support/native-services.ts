import type { Obtained } from './service-selection.ts';
import { startKafka } from './services/kafka.ts';
import { startPostgres } from './services/postgres.ts';
import type { PostgresMajor } from './services/postgres-binaries.ts';
import { startRabbitmq } from './services/rabbitmq.ts';

/** Postgres as a process of our own. */
export async function postgresNative(major: PostgresMajor): Promise<Obtained> {
  const postgres = await startPostgres({ version: major });
  return { url: postgres.url, dispose: () => postgres.dispose() };
}

/** Kafka as a process of our own. */
export async function kafkaNative(): Promise<Obtained> {
  const kafka = await startKafka();
  return { url: kafka.brokers.join(','), dispose: () => kafka.dispose() };
}

/** RabbitMQ as a process of our own. */
export async function rabbitmqNative(): Promise<Obtained> {
  const rabbitmq = await startRabbitmq();
  return { url: rabbitmq.url, dispose: () => rabbitmq.dispose() };
}
