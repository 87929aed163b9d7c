import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import amqp from 'amqplib';
import { type ServiceProcess, spawnService } from './child-process.ts';
import { freePorts, retryOnTakenPort } from './ports.ts';
import { type RabbitmqDistribution, rabbitmqDistribution } from './rabbitmq-distribution.ts';
import { removeScratchFolder, scratchFolder } from './scratch.ts';
import { type Certificates, makeCertificates } from './tls.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 90_000;
const COOKIE = 'outbox-relay-test';

/** How a RabbitMQ node is started. */
export interface RabbitmqStartOptions {
  /** Besides rabbitmq_management. */
  readonly plugins?: readonly string[];
  /** Lines for rabbitmq.conf, such as `heartbeat = 5`. */
  readonly config?: readonly string[];
  /** So often quorum queues tell how many messages they have, in milliseconds. @default 5000 */
  readonly quorumTickMs?: number;
  /** A second listener with TLS, which demands a client certificate. @default false */
  readonly tls?: boolean;
}

/** What a policy is put on. */
export interface PolicyOptions {
  /** @default 'queues' */
  readonly applyTo?: 'queues' | 'exchanges' | 'all';
  /** A regular expression over names. */
  readonly pattern: string;
  readonly definition: Readonly<Record<string, unknown>>;
}

/** A running RabbitMQ node that this process started; its account is `guest`, password `guest`. */
export interface StartedRabbitmq {
  /** amqp://, of virtual host `/`. */
  readonly url: string;
  /** amqps://. @throws when it was started without `tls` */
  readonly tlsUrl: string;
  /** http://, of the management plugin, with account. */
  readonly managementUrl: string;
  readonly port: number;
  /** @throws when it was started without `tls` */
  readonly certificates: Certificates;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, on the same ports and data; stops it first when it runs. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Runs rabbitmqctl (a quarter of a second and more) and returns what it prints. */
  ctl(...args: string[]): Promise<string>;
  /** Sets the memory alarm, which blocks publishing connections, or clears it. */
  setMemoryAlarm(on: boolean): Promise<void>;
  /** Has it show, and trust, others from the next connection on. @throws when it was started without `tls` */
  replaceCertificates(certificates: Certificates): Promise<void>;
  setPolicy(name: string, policy: PolicyOptions): Promise<void>;
  removePolicy(name: string): Promise<void>;
  /** Asks the management plugin. @param path below /api, such as `/queues/%2F/name`. @throws when the status is not 2xx */
  management(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
  /** The end of the log. */
  log(): Promise<string>;
  /** Kills the node and removes its files. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a RabbitMQ node of its own, with the management plugin, which never outlives this process.
 *
 * @throws when RabbitMQ is not to be had or does not start; the message says why
 */
export async function startRabbitmq(options: RabbitmqStartOptions = {}): Promise<StartedRabbitmq> {
  const distribution = await rabbitmqDistribution();
  const certificates = options.tls === true ? await makeCertificates() : undefined;
  return retryOnTakenPort(async () => {
    const [amqpPort = 0, tls = 0, management = 0, distributionPort = 0, epmd = 0] = await freePorts(5);
    const ports = { amqp: amqpPort, tls, management, distribution: distributionPort, epmd };
    const node = new Node({ options, distribution, certificates, folder: await scratchFolder('rabbitmq'), ports });
    try {
      await node.create();
      await node.restart();
      return node;
    } catch (error) {
      await node.dispose();
      throw error;
    }
  });
}

interface NodeParts {
  readonly options: RabbitmqStartOptions;
  readonly distribution: RabbitmqDistribution;
  readonly certificates: Certificates | undefined;
  readonly folder: string;
  readonly ports: { amqp: number; tls: number; management: number; distribution: number; epmd: number };
}

class Node implements StartedRabbitmq {
  readonly port: number;
  readonly url: string;
  readonly managementUrl: string;
  readonly #parts: NodeParts;
  #epmd: ServiceProcess | undefined;
  #process: ServiceProcess | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.port = parts.ports.amqp;
    this.url = `amqp://guest:guest@127.0.0.1:${parts.ports.amqp}/%2F`;
    this.managementUrl = `http://guest:guest@127.0.0.1:${parts.ports.management}`;
  }

  get tlsUrl(): string {
    return this.#parts.options.tls === true
      ? `amqps://guest:guest@127.0.0.1:${this.#parts.ports.tls}/%2F`
      : withoutTls();
  }

  get certificates(): Certificates {
    return this.#parts.certificates ?? withoutTls();
  }

  /** Writes the configuration. */
  async create(): Promise<void> {
    const { certificates, options } = this.#parts;
    await mkdir(this.#path('home'), { mode: 0o700 });
    if (certificates) await this.#writeCertificates(certificates);
    await writeFile(this.#path('rabbitmq.conf'), [...this.#config(), ...(options.config ?? []), ''].join('\n'));
    const plugins = ['rabbitmq_management', ...(options.plugins ?? [])];
    await writeFile(this.#path('enabled_plugins'), `[${plugins.join(',')}].\n`);
  }

  async stop(): Promise<void> {
    this.#process?.signal('SIGTERM');
    await this.#process?.exited;
  }

  async kill(): Promise<void> {
    await this.#process?.killTree();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#startEpmd();
    this.#process = await this.#spawn(join(this.#parts.distribution.scripts, 'rabbitmq-server'), []);
    await this.#process.untilReady(() => canConnect(this.url), START_TIMEOUT_MS);
  }

  async pause(): Promise<void> {
    await this.#process?.pauseTree();
  }

  async resume(): Promise<void> {
    await this.#process?.resumeTree();
  }

  async ctl(...args: string[]): Promise<string> {
    const { stdout } = await run(join(this.#parts.distribution.scripts, 'rabbitmqctl'), ['--quiet', ...args], {
      env: this.#environment(),
    });
    return stdout.trim();
  }

  async setMemoryAlarm(on: boolean): Promise<void> {
    const resource = '{resource_limit,memory,node()}';
    await this.ctl('eval', `rabbit_alarm:${on ? `set_alarm({${resource},[]})` : `clear_alarm(${resource})`}.`);
  }

  async replaceCertificates(certificates: Certificates): Promise<void> {
    if (this.#parts.options.tls !== true) withoutTls();
    await this.#writeCertificates(certificates);
    await this.ctl('eval', 'ssl:clear_pem_cache().');
  }

  async setPolicy(name: string, policy: PolicyOptions): Promise<void> {
    const { pattern, definition, applyTo = 'queues' } = policy;
    const body = { pattern, definition, 'apply-to': applyTo };
    await this.management('PUT', `/policies/%2F/${encodeURIComponent(name)}`, body);
  }

  async removePolicy(name: string): Promise<void> {
    await this.management('DELETE', `/policies/%2F/${encodeURIComponent(name)}`);
  }

  async management(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#parts.ports.management}/api${path}`, {
      method,
      headers: { authorization: `Basic ${btoa('guest:guest')}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  log(): Promise<string> {
    return this.#process?.output() ?? Promise.resolve('');
  }

  async dispose(): Promise<void> {
    await this.kill();
    await this.#epmd?.killTree();
    await removeScratchFolder(this.#parts.folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #writeCertificates({ ca, server }: Certificates): Promise<void> {
    await writeFile(this.#path('ca.pem'), ca);
    await writeFile(this.#path('server.pem'), server.cert);
    await writeFile(this.#path('server.key'), server.key, { mode: 0o600 });
  }

  /** Our own port mapper: the one that the node would start for itself outlives it. */
  async #startEpmd(): Promise<void> {
    if (this.#epmd?.running === true) return;
    this.#epmd = await this.#spawn(this.#parts.distribution.epmd, []);
  }

  #spawn(command: string, args: readonly string[]): Promise<ServiceProcess> {
    const { folder } = this.#parts;
    return spawnService(command, args, { logFile: this.#path('node.log'), cwd: folder, env: this.#environment() });
  }

  #config(): string[] {
    const { ports, certificates } = this.#parts;
    const tls = [
      `listeners.ssl.1 = 127.0.0.1:${ports.tls}`,
      `ssl_options.cacertfile = ${this.#path('ca.pem')}`,
      `ssl_options.certfile = ${this.#path('server.pem')}`,
      `ssl_options.keyfile = ${this.#path('server.key')}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = true',
    ];
    return [
      'loopback_users = none',
      `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${ports.management}`,
      // The free space of the machine is not what the tests are about.
      'disk_free_limit.absolute = 1MB',
      ...(certificates ? tls : []),
    ];
  }

  #environment(): NodeJS.ProcessEnv {
    const { distribution, ports, options } = this.#parts;
    const { scripts, erlang, libraries } = distribution;
    const libraryPath = [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
    const inherited = Object.entries(process.env).filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name));
    // Only 127.0.0.1, no busy waiting, and no console: it runs in the foreground, where its script would wait for input.
    const erlangArguments =
      `-setcookie ${COOKIE} -kernel inet_dist_use_interface {127,0,0,1} ` +
      '-noinput +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none' +
      (options.quorumTickMs === undefined ? '' : ` -rabbit quorum_tick_interval ${options.quorumTickMs}`);
    return {
      ...Object.fromEntries(inherited),
      ...(libraryPath === '' ? {} : { LD_LIBRARY_PATH: libraryPath }),
      PATH: [scripts, erlang, process.env.PATH].join(':'),
      HOME: this.#path('home'),
      LC_ALL: 'C.UTF-8',
      ERL_EPMD_PORT: String(ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_ALLOW_INPUT: 'true',
      RABBITMQ_NODENAME: `relay-${ports.amqp}@localhost`,
      RABBITMQ_NODE_PORT: String(ports.amqp),
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_DIST_PORT: String(ports.distribution),
      RABBITMQ_MNESIA_BASE: this.#path('mnesia'),
      RABBITMQ_LOG_BASE: this.#path('log'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_CONFIG_FILE: this.#path('rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: this.#path('enabled_plugins'),
      RABBITMQ_PID_FILE: this.#path('pid'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: erlangArguments,
      RABBITMQ_CTL_ERL_ARGS: `-setcookie ${COOKIE}`,
    };
  }

  #path(name: string): string {
    return join(this.#parts.folder, name);
  }
}

async function canConnect(url: string): Promise<boolean> {
  const connection = await amqp.connect(url, { timeout: 5000 });
  connection.on('error', () => undefined);
  await connection.close();
  return true;
}

function withoutTls(): never {
  throw new Error('this node was started without tls');
}
