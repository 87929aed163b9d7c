import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { messageOf, type Obtained } from './service-selection.ts';
import { freePort } from './services/ports.ts';

const run = promisify(execFile);
const ENGINE_TIMEOUT_MS = 3_000;
const IMAGE_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 90_000;

// Removes containers whose test run was killed; testcontainers starts it beside the first container.
const REAPER_IMAGE = 'testcontainers/ryuk:0.14.0';

/** Postgres in a container. */
export async function postgresInDocker(major: string): Promise<Obtained> {
  const image = await obtainImage(process.env.TEST_POSTGRES_IMAGE ?? `postgres:${major}`);
  const settings = {
    wal_level: 'logical',
    max_wal_senders: '20',
    max_replication_slots: '20',
    max_connections: '200',
    max_prepared_transactions: '20',
    fsync: 'off',
  };
  const container = await new GenericContainer(image)
    .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust' })
    .withCommand(['postgres', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    .withExposedPorts(5432)
    // The first time is the server that the image starts to set itself up.
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  return obtained(container, `postgres://postgres@${container.getHost()}:${container.getMappedPort(5432)}/postgres`);
}

/** Kafka, one node, in a container. */
export async function kafkaInDocker(): Promise<Obtained> {
  const image = await obtainImage(process.env.TEST_KAFKA_IMAGE ?? 'apache/kafka:4.0.0');
  // Brokers tell clients where they are, so the port must be known before the start.
  const port = await freePort();
  const container = await new GenericContainer(image)
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,INTERNAL://:9094,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port},INTERNAL://localhost:9094`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'INTERNAL',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    })
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  return obtained(container, `127.0.0.1:${port}`);
}

/** RabbitMQ in a container. */
export async function rabbitmqInDocker(): Promise<Obtained> {
  const image = await obtainImage(process.env.TEST_RABBITMQ_IMAGE ?? 'rabbitmq:4-management');
  const container = await new GenericContainer(image)
    .withExposedPorts(5672)
    .withWaitStrategy(Wait.forLogMessage(/Server startup complete/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  return obtained(container, `amqp://guest:guest@${container.getHost()}:${container.getMappedPort(5672)}/%2F`);
}

function obtained(container: StartedTestContainer, url: string): Obtained {
  return {
    url,
    dispose: async () => {
      await container.stop({ remove: true, removeVolumes: true, timeout: 0 });
    },
  };
}

/** Makes sure of the engine and of the images before testcontainers is asked, which knows no such deadlines. */
async function obtainImage(image: string): Promise<string> {
  await docker(['version', '--format', '{{.Server.Version}}'], ENGINE_TIMEOUT_MS).catch((error: unknown) => {
    throw new Error(`no Docker engine answers: ${messageOf(error)}`);
  });
  process.env.RYUK_CONTAINER_IMAGE ??= REAPER_IMAGE;
  const reaper = process.env.TESTCONTAINERS_RYUK_DISABLED === 'true' ? [] : [process.env.RYUK_CONTAINER_IMAGE];
  for (const wanted of [image, ...reaper]) {
    const there = docker(['image', 'inspect', wanted], ENGINE_TIMEOUT_MS);
    await there
      .catch(() => docker(['pull', '-q', wanted], IMAGE_TIMEOUT_MS))
      .catch((error: unknown) => {
        throw new Error(`image ${wanted} is not to be had: ${messageOf(error)}`);
      });
  }
  return image;
}

async function docker(args: readonly string[], timeoutMs: number): Promise<void> {
  try {
    // The timeout kills the program, so that nothing arrives late.
    await run('docker', args, { timeout: timeoutMs, killSignal: 'SIGKILL' });
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: unknown; killed?: boolean; stderr?: string };
    // In one line: this says why Docker is passed over.
    if (killed === true) throw new Error(`no answer within ${timeoutMs} ms`, { cause: error });
    const why = code === 'ENOENT' ? 'the docker program is not installed' : stderr.trim().split('\n').at(-1);
    throw new Error(why, { cause: error });
  }
}
