import { hostname } from 'node:os';
import type { GrpcHealthServer } from './admin/grpc-health.ts';
import { AdminServer } from './admin/server.ts';
import { adminEndpoints } from './app/admin.ts';
import { LagMonitor, type WatchedOutbox } from './app/lag-monitor.ts';
import { loadClients } from './app/publishers.ts';
import { rowFilters } from './app/routes.ts';
import { inspectOutbox, ShardLeader } from './app/shard-leader.ts';
import { configuredShards, shardLayout } from './app/sharding.ts';
import { ShardsTelemetry } from './app/shards-telemetry.ts';
import { readDestinations, readShards, statusReport } from './app/status-report.ts';
import { beginTracing } from './app/tracing.ts';
import type { Config } from './config/index.ts';
import { backoffDelay } from './core/backoff.ts';
import type { ErrorCode } from './core/error-catalogue.ts';
import type { RelayError } from './core/errors.ts';
import type { Log } from './core/log.ts';
import { pause } from './core/pause.ts';
import type { InstanceRole, StatusReport } from './core/status.ts';
import type { OutboxTable } from './core/table.ts';
import type { Board } from './leader/board.ts';
import { standForElection } from './leader/election.ts';
import { instanceName } from './leader/instances.ts';
import { shareShards } from './leader/sharing.ts';
import type { CandidateOptions, Term } from './leader/term.ts';
import { Metrics } from './observe/metrics.ts';
import { Telemetry } from './observe/telemetry.ts';
import type { Tracing } from './observe/tracing/spans.ts';
import type { PostgresOptions } from './postgres/connection.ts';
import { postgresError } from './postgres/error.ts';
import { LoginGate } from './postgres/login-gate.ts';
import { rehomeMarks } from './postgres/parked-shards.ts';
import { KnownPrimaries } from './postgres/primary.ts';

/** What an {@link App} is told from outside. */
export interface AppOptions {
  readonly config: Config;
  readonly log: Log;
  /** Of the package. */
  readonly version: string;
}

/** Names this instance, for people. */
const HOLDER = `${hostname()} ${process.pid}`;
const CLOSE_DEADLINE_MS = 1_000;
/** For the spans that wait when the process ends. */
const FLUSH_DEADLINE_MS = 2_000;
const START_RETRY = { baseMs: 500, maxMs: 5_000 };
/** What an operator has to mend before anything can be published. */
const LOGIN_FAILURES: ReadonlySet<ErrorCode> = new Set([
  'broker_authentication',
  'broker_tls',
  'broker_client_certificate',
  'credentials_unusable',
  'oauth_refused',
]);

/** The composition root of the daemon: builds the parts, starts them, and ends them in reverse order. */
export class App {
  readonly #options: AppOptions;
  readonly #telemetry: Telemetry;
  readonly #admin: AdminServer;
  readonly #startedAt = Date.now();
  readonly #instance: string;
  /** Aborted with the error that ends the process: what only an operator can mend, met at the start. */
  readonly #fatal = new AbortController();
  #ending: AbortSignal | null = null;
  readonly #connected = new Set<string>();
  readonly #primaries = new KnownPrimaries();
  /** Of sessions that do not belong to a term. */
  readonly #postgres: PostgresOptions;
  readonly #shardsTelemetry: ShardsTelemetry;
  readonly #shards: readonly ShardLeader[];
  /** Null before the first look, and where there is one shard. */
  #board: Board | null = null;
  #role: InstanceRole = 'starting';
  #roleSince = Date.now();
  #monitor: LagMonitor | null = null;
  #tracing: Tracing | null = null;
  #grpcHealth: GrpcHealthServer | null = null;

  constructor(options: AppOptions) {
    this.#options = options;
    const { config, log, version } = options;
    this.#postgres = { ...config.postgres, admission: this.#primaries, gate: new LoginGate() };
    this.#instance = instanceName(config.postgres.applicationName, HOLDER);
    const metrics = new Metrics({ version, node: process.version });
    if (config.capture.mode !== 'polling') metrics.set('wal_budget_bytes', {}, config.capture.walBudget);
    this.#telemetry = new Telemetry(metrics, log);
    this.#telemetry.watch(() => readDestinations(this.#shards));
    this.#shardsTelemetry = new ShardsTelemetry(this.#telemetry);
    this.#shards = Array.from({ length: config.shards }, (_, shard) => this.#shardLeader(shard));
    this.#tellShards();
    const endpoints = adminEndpoints({ config, telemetry: this.#telemetry, metrics, status: () => this.status(), log });
    this.#admin = new AdminServer(config.admin, endpoints, log);
  }

  /** The port of `/metrics` and the others, once {@link run} has opened it. */
  get adminPort(): number {
    return this.#admin.port;
  }

  /** What `/status` tells. */
  status(): StatusReport {
    const { config, version } = this.#options;
    return statusReport({
      version,
      instance: this.#instance,
      captureMode: config.capture.mode,
      walBudgetBytes: config.capture.mode === 'polling' ? null : config.capture.walBudget,
      startedAt: this.#startedAt,
      role: this.#role,
      roleSince: this.#roleSince,
      destinations: readDestinations(this.#shards),
      shards: readShards(this.#shards, this.#board),
      telemetry: this.#telemetry,
      heartbeatAgeSeconds: this.#monitor?.heartbeatAgeSeconds ?? null,
    });
  }

  /**
   * Runs until `stop` is aborted and what is in flight has been drained, or `kill` is aborted.
   *
   * @throws RelayError what only an operator can mend, met at the start: configuration, login, missing table
   */
  async run(stop: AbortSignal, kill: AbortSignal): Promise<void> {
    const { config, log, version } = this.#options;
    const ending = AbortSignal.any([stop, kill, this.#fatal.signal]);
    this.#ending = ending;
    try {
      await this.#listen();
      for (const warning of config.warnings) log.warn({}, warning);
      const table = await this.#firstLook(ending);
      if (table === null) return;
      await loadClients(Object.values(config.destinations));
      this.#tracing = await beginTracing(config, version, this.#telemetry, log);
      this.#monitor = new LagMonitor(
        this.#postgres,
        watched(config, table),
        this.#telemetry,
        () => this.#shardsTelemetry.slot,
      );
      this.#monitor.start();
      await this.#stand(table, ending, AbortSignal.any([kill, this.#fatal.signal]));
      this.#fatal.signal.throwIfAborted();
    } finally {
      this.#enter('stopping');
      await this.#monitor?.stop();
      await this.#tracing?.close(FLUSH_DEADLINE_MS);
      await Promise.all([this.#admin.close(CLOSE_DEADLINE_MS), this.#grpcHealth?.close(CLOSE_DEADLINE_MS)]);
      log.info({}, 'outbox-relay has ended');
    }
  }

  async #listen(): Promise<void> {
    const { config, log, version } = this.#options;
    const { grpc, ...admin } = config.admin;
    const { host, port } = grpc;
    await this.#admin.listen();
    const ports = { admin: `${admin.host}:${this.#admin.port}` };
    if (port === null) {
      log.info({ version, ...ports }, 'outbox-relay starts');
      return;
    }
    const { GrpcHealthServer } = await import('./admin/grpc-health.ts');
    this.#grpcHealth = new GrpcHealthServer({ ...admin, host, port }, () => this.status(), log);
    await this.#grpcHealth.listen();
    log.info({ version, ...ports, grpc: `${host}:${this.#grpcHealth.port}` }, 'outbox-relay starts');
  }

  /** Waits for the database if need be, and finds the table; null when the process is to end before that. */
  async #firstLook(ending: AbortSignal): Promise<OutboxTable | null> {
    for (let attempt = 0; !ending.aborted; attempt++) {
      try {
        return await inspectOutbox(this.#options.config, this.#postgres, ending);
      } catch (thrown) {
        const error = postgresError(thrown, 'looking at the outbox table');
        if (!error.retryable) throw error;
        this.#telemetry.failed(error);
        await pause(1 + backoffDelay(START_RETRY, attempt), ending);
      }
    }
    return null;
  }

  async #stand(table: OutboxTable, ending: AbortSignal, kill: AbortSignal): Promise<void> {
    const { config, log } = this.#options;
    const shards = configuredShards(config, table);
    const candidate: CandidateOptions = {
      postgres: this.#postgres,
      table,
      layout: shardLayout(config),
      changing: (client) => rehomeMarks(client, table, shards),
      holder: HOLDER,
      leaseMs: config.leader.lease,
    };
    const observer = {
      elected: (epoch: bigint) => log.info({ epoch: String(epoch) }, 'this instance is elected'),
      lost: (error: RelayError) => this.#telemetry.failed(error),
      failed: (error: RelayError) => {
        if (error.code === 'shards_differ') this.#enter('standby');
        this.#telemetry.failed(error);
      },
    };
    const [only] = this.#shards;
    if (config.shards === 1 && only !== undefined) {
      const waiting = (): void => this.#enter('standby');
      const lead = (term: Term): Promise<boolean> => only.lead(term, { ending, kill });
      await standForElection({ ...candidate, shard: 0 }, { ...observer, waiting }, lead, ending);
      return;
    }
    await shareShards(
      candidate,
      {
        ...observer,
        seen: (board) => this.#seen(board),
        elected: (shard, epoch) => log.info({ shard, epoch: String(epoch) }, 'this instance is elected for a shard'),
        lost: (_, error) => this.#telemetry.failed(error),
        handedOver: (shard) => log.info({ shard }, 'this instance hands a shard over to another that leads fewer'),
      },
      async (shard, term, released) => {
        const leader = this.#shards[shard];
        return leader === undefined || leader.lead(term, { ending: AbortSignal.any([ending, released]), kill });
      },
      ending,
    );
  }

  #shardLeader(shard: number): ShardLeader {
    const { config, log } = this.#options;
    return new ShardLeader({
      config,
      log,
      shard,
      telemetry: this.#shardsTelemetry.of(shard),
      postgres: this.#postgres,
      primaries: this.#primaries,
      session: (destination, failure) => this.#sessionOpened(destination, failure),
      tracer: () => this.#tracing?.tracer ?? null,
      changed: () => this.#shardChanged(),
    });
  }

  /**
   * A login that the only broker refuses before it has ever taken one is a mistake in the set-up: the process ends with
   * it. Beside others it is that destination's trouble alone: a password that was revoked must not stop them at a restart.
   */
  #sessionOpened(destination: string, failure: RelayError | null): void {
    if (failure === null) this.#connected.add(destination);
    else if (LOGIN_FAILURES.has(failure.code) && this.#connected.size === 0 && this.#hasOneDestination())
      this.#fatal.abort(failure);
  }

  #hasOneDestination(): boolean {
    return Object.keys(this.#options.config.destinations).length === 1;
  }

  #shardChanged(): void {
    this.#tellShards();
    if (this.#shards.some(({ leads }) => leads)) this.#enter('leader');
    else this.#enter(this.#ending?.aborted === true ? 'stopping' : 'standby');
  }

  #tellShards(): void {
    if (this.#shards.length === 1) return;
    for (const { shard, leads } of this.#shards) this.#telemetry.shardLed(shard, leads);
  }

  #seen(board: Board): void {
    this.#board = board;
    if (this.#role === 'starting' && board.leaders.size === this.#shards.length) this.#enter('standby');
  }

  #enter(role: InstanceRole): void {
    if (role === this.#role) return;
    if (role === 'leader' || this.#role === 'leader') this.#telemetry.leader(role === 'leader');
    this.#role = role;
    this.#roleSince = Date.now();
  }
}

function watched(config: Config, table: OutboxTable): WatchedOutbox {
  return { table, destinations: Object.keys(config.destinations), filters: rowFilters(config, table) };
}
