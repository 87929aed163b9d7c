import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { type ServiceProcess, spawnService } from './child-process.ts';
import { presentCertificate } from './kafka-certificate.ts';
import { type KafkaDistribution, kafkaDistribution } from './kafka-distribution.ts';
import {
  KAFKA_CREDENTIALS,
  type KafkaListener,
  type KafkaNodePorts,
  SCRAM_ARGUMENTS,
  kafkaProperties,
  pemTexts,
} from './kafka-properties.ts';
import { freePorts, retryOnTakenPort } from './ports.ts';
import { removeScratchFolder, scratchFolder } from './scratch.ts';
import { type Certificates, type KeyPair, makeCertificates } from './tls.ts';
import { until } from './until.ts';

/** Of Kafka, unless `$KAFKA_VERSION` or an option names another. */
export const DEFAULT_KAFKA_VERSION = '4.4.0';

export type { KafkaListener } from './kafka-properties.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 90_000;
const CLUSTER_ID = 'outboxrelaytestcluster';

const LOG4J_PROPERTIES = `log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d %p %m (%c)%n
`;

/** How a Kafka cluster is started. */
export interface KafkaStartOptions {
  /** Any version on Maven Central; 3.9.1 and 4.4.0 have been tried. @default $KAFKA_VERSION or '4.4.0' */
  readonly version?: string;
  /** How many nodes; each is broker and controller. With 3, topics have 3 replicas of which 2 must be in sync. @default 1 */
  readonly brokers?: 1 | 3;
  /** @default ['plaintext'] */
  readonly listeners?: readonly KafkaListener[];
  /** Server properties, which win over the defaults. Topics are not created by themselves unless asked for here. */
  readonly properties?: Readonly<Record<string, string>>;
  /** What the plaintext listener of each node tells clients to connect to instead of itself: `host:port` of a proxy. */
  readonly advertised?: readonly string[];
  /** Heap of a node, such as `512m`. @default '256m' */
  readonly heap?: string;
  /** `full` for measuring: the node starts more slowly, and runs as fast as it can. @default 'quick' */
  readonly compiler?: 'quick' | 'full';
}

/**
 * A running Kafka cluster that this process started. `node` counts from 0; without it all nodes are meant.
 */
export interface StartedKafka {
  /** Of the plaintext listeners, as clients are told: `host:port`. */
  readonly brokers: readonly string[];
  /** Where each listener really listens, by node: `host:port`. */
  readonly addresses: Readonly<Record<KafkaListener, readonly string[]>>;
  readonly version: string;
  /** For the listeners with TLS. @throws when there is none */
  readonly certificates: Certificates;
  /** For the listeners with SASL. */
  readonly credentials: { readonly username: string; readonly password: string };
  /** SIGTERM, and waits for the end. */
  stop(node?: number): Promise<void>;
  /** SIGKILL. */
  kill(node?: number): Promise<void>;
  /** Starts again what was stopped or killed (stopping it first when it runs), and waits until the cluster knows it. */
  restart(node?: number): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing answers. */
  pause(node?: number): Promise<void>;
  resume(node?: number): Promise<void>;
  /** Has the listener `tls` of all nodes show another certificate, and waits until it does. @throws when there is none */
  presentCertificate(pair: KeyPair): Promise<void>;
  /** Creates a topic and waits until each partition has a leader. */
  createTopic(topic: string, options?: TopicOptions): Promise<void>;
  /** The end of the log of a node. */
  log(node: number): Promise<string>;
  /** Kills all nodes and removes their files. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a topic is created. */
export interface TopicOptions {
  /** @default 1 */
  readonly partitions?: number;
  /** Settings of the topic, such as `max.message.bytes`. */
  readonly config?: Readonly<Record<string, string>>;
}

/**
 * Starts a Kafka cluster of its own, which never outlives this process.
 *
 * @throws when Java or the jars are not to be had, or a node does not start; the message says why
 */
export async function startKafka(options: KafkaStartOptions = {}): Promise<StartedKafka> {
  const version = options.version ?? process.env.KAFKA_VERSION ?? DEFAULT_KAFKA_VERSION;
  const distribution = await kafkaDistribution(version);
  const withTls = (options.listeners ?? []).some((listener) => listener.endsWith('tls'));
  const certificates = withTls ? await makeCertificates() : undefined;
  return retryOnTakenPort(async () => {
    const folder = await scratchFolder('kafka');
    const cluster = new Cluster({
      version,
      options,
      distribution,
      certificates,
      folder,
      ports: await choosePorts(options),
    });
    try {
      await cluster.create();
      await cluster.restart();
      return cluster;
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
  });
}

async function choosePorts(options: KafkaStartOptions): Promise<KafkaNodePorts[]> {
  const listeners = options.listeners ?? ['plaintext'];
  const count = options.brokers ?? 1;
  const ports = await freePorts(count * (listeners.length + 2));
  const next = () => ports.pop() ?? 0;
  return Array.from({ length: count }, () => ({
    controller: next(),
    internal: next(),
    clients: Object.fromEntries(listeners.map((listener) => [listener, next()])),
  }));
}

interface ClusterParts {
  readonly version: string;
  readonly options: KafkaStartOptions;
  readonly distribution: KafkaDistribution;
  readonly certificates: Certificates | undefined;
  readonly folder: string;
  readonly ports: readonly KafkaNodePorts[];
}

class Cluster implements StartedKafka {
  readonly brokers: readonly string[];
  readonly addresses: Readonly<Record<KafkaListener, readonly string[]>>;
  readonly version: string;
  readonly credentials = KAFKA_CREDENTIALS;
  readonly #parts: ClusterParts;
  readonly #processes: (ServiceProcess | undefined)[];

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#processes = parts.ports.map(() => undefined);
    this.version = parts.version;
    const addresses = (listener: KafkaListener) =>
      parts.ports.flatMap(({ clients }) => (clients[listener] ? [`127.0.0.1:${clients[listener]}`] : []));
    this.addresses = {
      plaintext: addresses('plaintext'),
      tls: addresses('tls'),
      sasl: addresses('sasl'),
      'sasl-tls': addresses('sasl-tls'),
    };
    this.brokers = parts.options.advertised ?? this.addresses.plaintext;
  }

  get certificates(): Certificates {
    if (!this.#parts.certificates) throw new Error('this cluster was started without a TLS listener');
    return this.#parts.certificates;
  }

  /** Writes the configuration of all nodes and formats their storage. */
  async create(): Promise<void> {
    const { folder, certificates } = this.#parts;
    await writeFile(join(folder, 'log4j.properties'), LOG4J_PROPERTIES);
    const pemFiles = { server: join(folder, 'server.pem'), authority: join(folder, 'authority.pem') };
    if (certificates) {
      const texts = pemTexts(certificates);
      await writeFile(pemFiles.server, texts.server, { mode: 0o600 });
      await writeFile(pemFiles.authority, texts.authority);
    }
    await Promise.all(this.#allNodes().map((node) => this.#format(node, certificates ? pemFiles : undefined)));
  }

  async stop(node?: number): Promise<void> {
    await this.#each(node, async (one) => {
      this.#processes[one]?.signal('SIGTERM');
      await this.#processes[one]?.exited;
    });
  }

  async kill(node?: number): Promise<void> {
    await this.#each(node, async (one) => this.#processes[one]?.killTree());
  }

  async restart(node?: number): Promise<void> {
    await this.stop(node);
    await this.#each(node, async (one) => {
      this.#processes[one] = await spawnService(
        this.#parts.distribution.java,
        [...this.#javaArguments(), 'kafka.Kafka', join(this.#nodeFolder(one), 'server.properties')],
        { logFile: this.#logFile(one), cwd: this.#nodeFolder(one), env: this.#environment() },
      );
    });
    const running = this.#processes.filter((process) => process?.running).length;
    await this.#each(node, async (one) =>
      this.#processes[one]?.untilReady(async () => (await this.#knownBrokers(one)) >= running, START_TIMEOUT_MS),
    );
  }

  async pause(node?: number): Promise<void> {
    await this.#each(node, async (one) => this.#processes[one]?.pauseTree());
  }

  async resume(node?: number): Promise<void> {
    await this.#each(node, async (one) => this.#processes[one]?.resumeTree());
  }

  presentCertificate(pair: KeyPair): Promise<void> {
    const nodes = this.#allNodes().map((node) => node + 1);
    const listeners = this.addresses.tls;
    return this.#withAdmin(this.#internalAddresses(), (admin) =>
      presentCertificate(admin, { folder: this.#parts.folder, nodes, listeners }, pair),
    );
  }

  async createTopic(topic: string, options: TopicOptions = {}): Promise<void> {
    const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
    const wanted = options.partitions ?? 1;
    await this.#withAdmin(this.#internalAddresses(), async (admin) => {
      await admin.createTopics({ topics: [{ topic, numPartitions: wanted, configEntries }], waitForLeaders: false });
      const leaders = async () => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        return topics[0]?.partitions.filter(({ leader }) => leader >= 0).length === wanted;
      };
      await until(leaders, { what: `the leaders of topic ${topic}` });
    });
  }

  log(node: number): Promise<string> {
    return this.#processes[node]?.output() ?? Promise.resolve('');
  }

  async dispose(): Promise<void> {
    await this.kill();
    await removeScratchFolder(this.#parts.folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #format(node: number, pemFiles: { server: string; authority: string } | undefined): Promise<void> {
    const { ports, options } = this.#parts;
    const folder = this.#nodeFolder(node);
    await mkdir(folder);
    const config = join(folder, 'server.properties');
    const text = kafkaProperties({
      id: node + 1,
      cluster: ports,
      logDir: join(folder, 'data'),
      pemFiles,
      advertised: options.advertised?.[node],
      properties: options.properties ?? {},
    });
    await writeFile(config, text);
    const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', config, ...SCRAM_ARGUMENTS];
    await run(this.#parts.distribution.java, [...this.#javaArguments(), ...format], { env: this.#environment() });
  }

  /** How many brokers a node knows to be alive, itself included; 0 while it does not know itself. */
  #knownBrokers(node: number): Promise<number> {
    const { internal } = this.#parts.ports[node] ?? { internal: 0 };
    return this.#withAdmin([`127.0.0.1:${internal}`], async (admin) => {
      const { brokers } = await admin.describeCluster();
      return brokers.some(({ nodeId }) => nodeId === node + 1) ? brokers.length : 0;
    });
  }

  #internalAddresses(): string[] {
    return this.#parts.ports.map(({ internal }) => `127.0.0.1:${internal}`);
  }

  async #withAdmin<T>(brokers: string[], use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const client = new kafkajs.Kafka({
      brokers,
      clientId: 'test-support',
      logLevel: kafkajs.logLevel.NOTHING,
      connectionTimeout: 2000,
      requestTimeout: 5000,
      retry: { retries: 0 },
    });
    const admin = client.admin();
    try {
      await admin.connect();
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  #javaArguments(): string[] {
    const memory = [`-Xmx${this.#parts.options.heap ?? '256m'}`, '-Xms64m', '-XX:+UseSerialGC'];
    const logging = [
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      `-Dlog4j.configuration=file:${join(this.#parts.folder, 'log4j.properties')}`,
    ];
    const compiler = this.#parts.options.compiler === 'full' ? [] : ['-XX:TieredStopAtLevel=1'];
    return [...memory, ...compiler, ...logging, '-cp', this.#parts.distribution.classPath];
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, LC_ALL: 'C.UTF-8' };
  }

  #nodeFolder(node: number): string {
    return join(this.#parts.folder, `node-${node}`);
  }

  #logFile(node: number): string {
    return join(this.#nodeFolder(node), 'server.log');
  }

  #allNodes(): number[] {
    return this.#parts.ports.map((_, index) => index);
  }

  async #each(node: number | undefined, act: (node: number) => Promise<void>): Promise<void> {
    await Promise.all((node === undefined ? this.#allNodes() : [node]).map(act));
  }
}
