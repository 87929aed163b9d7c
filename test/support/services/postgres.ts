import { execFile } from 'node:child_process';
import { appendFile, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type ServiceProcess, spawnService } from './child-process.ts';
import { freePort, retryOnTakenPort } from './ports.ts';
import { type PostgresBinaries, type PostgresMajor, postgresBinaries, postgresMajor } from './postgres-binaries.ts';
import { copyAsStandby } from './postgres-standby.ts';
import { removeScratchFolder, scratchFolder } from './scratch.ts';

export type { PostgresMajor } from './postgres-binaries.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;
const HBA_TRUST = [
  'local all all trust',
  'host all all all trust',
  'local replication all trust',
  'host replication all all trust',
];

const DEFAULT_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  wal_level: 'logical',
  max_wal_senders: '20',
  max_replication_slots: '20',
  max_connections: '200',
  max_prepared_transactions: '20',
  shared_buffers: '32MB',
  log_line_prefix: '%m [%p] %q%a ',
};

/** How a Postgres server is started. */
export interface PostgresStartOptions {
  /** @default $PG_VERSION or '18' */
  readonly version?: PostgresMajor;
  /** Server settings, which win over the defaults (`wal_level=logical`, 20 walsenders and slots, 200 connections). */
  readonly settings?: Readonly<Record<string, string>>;
  /** An existing data folder to start on, which is then never removed. By default a new one is made. */
  readonly dataDir?: string;
  /** On 127.0.0.1. By default a free one. */
  readonly port?: number;
  /** Whether commits wait for the disk. Only a crash of the machine tells the difference. @default false */
  readonly fsync?: boolean;
  /** Lines of pg_hba.conf instead of trusting everybody. */
  readonly hba?: readonly string[];
  /** Switches TLS on: PEM texts. With `ca` client certificates are examined when a line of `hba` asks for them. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

/** How a server is stopped: `smart` waits for its clients, `fast` disconnects them, `immediate` crashes. */
export type PostgresStopMode = 'smart' | 'fast' | 'immediate';

/** A running Postgres server that this process started; its superuser is `postgres`, without a password. */
export interface StartedPostgres {
  /** Of database `postgres`, as the superuser. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** The folder of the unix socket. */
  readonly socketDir: string;
  readonly version: PostgresMajor;
  readonly running: boolean;
  /** Stops the server; it can be started again. @param mode default `fast` */
  stop(mode?: PostgresStopMode): Promise<void>;
  /** SIGKILL to the postmaster and all its children, as a crash of the machine. */
  kill(): Promise<void>;
  /** Starts the server again, on the same port and data; stops it first (`fast`) when it runs. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** SIGSTOP to all processes: connections stay open, and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Creates a database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** The URL of a database of this server. */
  urlOf(database: string): string;
  /** Runs statements as the superuser in database `postgres`, and returns the rows of the last. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Starts a streaming standby of this server. */
  startStandby(options?: StandbyStartOptions): Promise<StartedStandby>;
  /** The end of the server's log. */
  log(): Promise<string>;
  /** Kills the server, if it runs, and removes its files. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a standby is started. */
export interface StandbyStartOptions {
  /** Settings of the standby besides those of its primary. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running standby. */
export interface StartedStandby extends StartedPostgres {
  /** Makes it a primary; resolves when it accepts writes. The old primary is left as it is. */
  promote(): Promise<void>;
}

/**
 * Starts a Postgres server of its own: as root it runs as `nobody`, else as our own account. It never outlives this
 * process.
 *
 * @throws when the binaries are not installed or the server does not start; the message says why
 */
export async function startPostgres(options: PostgresStartOptions = {}): Promise<StartedPostgres> {
  const version = options.version ?? postgresMajor();
  const binaries = await postgresBinaries(version);
  const folder = await scratchFolder('postgres', binaries.account);
  const dataDir = options.dataDir ?? join(folder, 'data');
  const settings = { ...DEFAULT_SETTINGS, fsync: options.fsync === true ? 'on' : 'off', ...options.settings };
  try {
    if (options.dataDir === undefined) await initialize(binaries, dataDir, options);
    const tls = options.tls === undefined ? {} : await writeCertificates(binaries, dataDir, options.tls);
    return await retryOnTakenPort(async () => {
      const port = options.port ?? (await freePort());
      const server = new Server({ version, binaries, folder, dataDir, port, settings: { ...settings, ...tls } });
      await server.restart();
      return server;
    });
  } catch (error) {
    await removeScratchFolder(folder);
    throw error;
  }
}

interface ServerParts {
  readonly version: PostgresMajor;
  readonly binaries: PostgresBinaries;
  /** Holds socket, log and, unless it was given, the data. */
  readonly folder: string;
  readonly dataDir: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

class Server implements StartedStandby {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly version: PostgresMajor;
  readonly #binaries: PostgresBinaries;
  readonly #logFile: string;
  #settings: Readonly<Record<string, string>>;
  #process: ServiceProcess | undefined;

  constructor(parts: ServerParts) {
    this.port = parts.port;
    this.dataDir = parts.dataDir;
    this.socketDir = parts.folder;
    this.version = parts.version;
    this.#binaries = parts.binaries;
    this.#logFile = join(parts.folder, 'postgres.log');
    this.#settings = parts.settings;
  }

  get url(): string {
    return this.urlOf('postgres');
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  urlOf(database: string): string {
    return `postgres://postgres@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  async stop(mode: PostgresStopMode = 'fast'): Promise<void> {
    this.#process?.signal(({ smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const)[mode]);
    await this.#process?.exited;
  }

  async kill(): Promise<void> {
    await this.#process?.killTree();
  }

  async restart(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.stop();
    this.#settings = { ...this.#settings, ...settings };
    await writeFile(join(this.dataDir, SETTINGS_FILE), settingsText({ ...this.#settings, ...this.#whereItListens() }));
    this.#process = await spawnService(this.#binaries.postgres, ['-D', this.dataDir], {
      logFile: this.#logFile,
      cwd: this.socketDir,
      account: this.#binaries.account,
      env: serverEnvironment(),
    });
    await this.#process.untilReady(async () => (await this.query('select 1')).length === 1, START_TIMEOUT_MS);
  }

  async pause(): Promise<void> {
    await this.#process?.pauseTree();
  }

  async resume(): Promise<void> {
    await this.#process?.resumeTree();
  }

  async createDatabase(name: string): Promise<string> {
    await this.query(`create database ${pg.escapeIdentifier(name)}`);
    return this.urlOf(name);
  }

  async query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> {
    // Over the socket: it answers whatever TLS and pg_hba.conf ask of TCP connections, as long as they let it.
    const client = new pg.Client({ host: this.socketDir, port: this.port, user: 'postgres', database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await client.query<Row>(sql, values);
      return (Array.isArray(result) ? (result as pg.QueryResult<Row>[]).at(-1)?.rows : result.rows) ?? [];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async startStandby(options: StandbyStartOptions = {}): Promise<StartedStandby> {
    const folder = await scratchFolder('postgres', this.#binaries.account);
    const dataDir = join(folder, 'data');
    try {
      const slot = await copyAsStandby(this, { from: this.dataDir, to: dataDir, account: this.#binaries.account });
      const settings = {
        ...this.#settings,
        hot_standby: 'on',
        hot_standby_feedback: 'on',
        primary_slot_name: slot,
        ...options.settings,
      };
      return await retryOnTakenPort(async () => {
        const port = await freePort();
        const parts = { version: this.version, binaries: this.#binaries, folder, dataDir, port, settings };
        const standby = new Server(parts);
        await standby.restart();
        return standby;
      });
    } catch (error) {
      await removeScratchFolder(folder);
      throw error;
    }
  }

  async promote(): Promise<void> {
    const [row] = await this.query<{ promoted: boolean }>('select pg_promote() as promoted');
    if (row?.promoted !== true) throw new Error(`the standby was not promoted:\n${await this.log()}`);
  }

  log(): Promise<string> {
    return this.#process?.output() ?? Promise.resolve('');
  }

  async dispose(): Promise<void> {
    await this.kill();
    await removeScratchFolder(this.socketDir);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #whereItListens(): Record<string, string> {
    return { port: String(this.port), unix_socket_directories: this.socketDir };
  }
}

const SETTINGS_FILE = 'outbox-relay.conf';

async function initialize(binaries: PostgresBinaries, dataDir: string, options: PostgresStartOptions): Promise<void> {
  const args = ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
  await run(binaries.initdb, args, { ...binaries.account, cwd: '/', env: serverEnvironment() });
  // A file of its own, so that ALTER SYSTEM still wins over it.
  await appendFile(join(dataDir, 'postgresql.conf'), `\ninclude_if_exists '${SETTINGS_FILE}'\n`);
  await writeFile(join(dataDir, 'pg_hba.conf'), [...(options.hba ?? HBA_TRUST), ''].join('\n'));
}

async function writeCertificates(
  { account }: PostgresBinaries,
  dataDir: string,
  tls: NonNullable<PostgresStartOptions['tls']>,
): Promise<Record<string, string>> {
  const files = { ssl_cert_file: tls.cert, ssl_key_file: tls.key, ...(tls.ca ? { ssl_ca_file: tls.ca } : {}) };
  for (const [setting, pem] of Object.entries(files)) {
    const path = join(dataDir, `${setting}.pem`);
    await writeFile(path, pem, { mode: 0o600 });
    if (account) await chown(path, account.uid, account.gid);
  }
  return { ssl: 'on', ...Object.fromEntries(Object.keys(files).map((setting) => [setting, `${setting}.pem`])) };
}

function settingsText(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('');
}

/** Without the PG* variables of whoever runs the tests, and with messages and times that do not depend on the place. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...Object.fromEntries(entries), LC_ALL: 'C', TZ: 'UTC' };
}
