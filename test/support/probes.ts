import amqp from 'amqplib';
import kafkajs from 'kafkajs';
import pg from 'pg';

const TIMEOUT_MS = 5_000;

/** Resolves when a Postgres server answers. */
export async function probePostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: TIMEOUT_MS });
  await client.connect();
  await client.end();
}

/** Resolves when a Kafka cluster answers. @param brokers `host:port`, comma-separated */
export async function probeKafka(brokers: string): Promise<void> {
  const client = new kafkajs.Kafka({
    brokers: brokers.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: TIMEOUT_MS,
    requestTimeout: TIMEOUT_MS,
    retry: { retries: 0 },
  });
  const admin = client.admin();
  try {
    await admin.connect();
    await admin.describeCluster();
  } finally {
    await admin.disconnect();
  }
}

/** Resolves when a RabbitMQ node answers. */
export async function probeRabbitmq(url: string): Promise<void> {
  const connection = await amqp.connect(url, { timeout: TIMEOUT_MS });
  connection.on('error', () => undefined);
  await connection.close();
}
