import { hostname } from 'node:os';
import type { GrpcHealthServer } from './admin/grpc-health.ts';
import { AdminServer } from './admin/server.ts';
import { adminEndpoints } from './app/admin.ts';
import { LagMonitor, type WatchedOutbox } from './app/lag-monitor.ts';
import { readDestinations, statusReport } from './app/status-report.ts';
import { loadClients } from './app/publishers.ts';
import { postgresOfTerm } from './app/postgres-of-term.ts';
import { rowFilters, tableMapping } from './app/routes.ts';
import { slotPrefix } from './app/slot-prefix.ts';
import { buildTermRelay, type TermObserver } from './app/term.ts';
import { beginTracing } from './app/tracing.ts';
import { endPredecessors } from './capture/stream/slot.ts';
import type { Config } from './config/index.ts';
import { backoffDelay } from './core/backoff.ts';
import type { RelayError } from './core/errors.ts';
import type { Log } from './core/log.ts';
import { pause } from './core/pause.ts';
import type { InstanceRole, SlotSample, StatusReport } from './core/status.ts';
import type { OutboxTable } from './core/table.ts';
import { standForElection, type Term } from './leader/election.ts';
import { instanceName } from './leader/instances.ts';
import { Metrics } from './observe/metrics.ts';
import { Telemetry } from './observe/telemetry.ts';
import type { Tracing } from './observe/tracing/spans.ts';
import { closeConnection, connectSql, type PostgresOptions } from './postgres/connection.ts';
import { withinDeadline } from './postgres/deadline.ts';
import { postgresError } from './postgres/error.ts';
import { KnownPrimaries } from './postgres/primary.ts';
import { inspectTable } from './postgres/table.ts';
import type { Relay } from './relay/relay.ts';

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
/** After a term that could not begin, so that another instance may try. */
const TERM_RETRY_MS = 1_000;
/** For looking at the catalogue, or ending a walsender: quick, or something is wrong. */
const LOOK_MS = 15_000;

/** What holds for one term of leadership, and what ends it. */
interface TermBounds extends Pick<Term, 'epoch' | 'mayPublish'> {
  /** Bound to the leader's server. */
  readonly postgres: PostgresOptions;
  /** The term ends, for whatever reason. */
  readonly over: AbortSignal;
  /** Leadership is lost or in doubt: nothing more may be published. */
  readonly lost: AbortSignal;
  /** The process is to end at once. */
  readonly kill: AbortSignal;
}

/** The composition root of the daemon: builds the parts, starts them, and ends them in reverse order. */
export class App {
  readonly #options: AppOptions;
  readonly #telemetry: Telemetry;
  readonly #admin: AdminServer;
  readonly #startedAt = Date.now();
  readonly #instance: string;
  /** Aborted with the error that ends the process: what only an operator can mend, met at the start. */
  readonly #fatal = new AbortController();
  readonly #connected = new Set<string>();
  readonly #primaries = new KnownPrimaries();
  /** Of sessions that do not belong to a term. */
  readonly #postgres: PostgresOptions;
  #role: InstanceRole = 'starting';
  #roleSince = Date.now();
  #relay: Relay | null = null;
  #monitor: LagMonitor | null = null;
  #tracing: Tracing | null = null;
  #grpcHealth: GrpcHealthServer | null = null;
  #slotSample: SlotSample | null = null;

  constructor(options: AppOptions) {
    this.#options = options;
    const { config, log, version } = options;
    this.#postgres = { ...config.postgres, admission: this.#primaries };
    this.#instance = instanceName(config.postgres.applicationName, HOLDER);
    const metrics = new Metrics({ version, node: process.version });
    if (config.capture.mode !== 'polling') metrics.set('wal_budget_bytes', {}, config.capture.walBudget);
    this.#telemetry = new Telemetry(metrics, log);
    this.#telemetry.watch(() => (this.#relay === null ? [] : readDestinations(this.#relay)));
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
      destinations: this.#relay === null ? [] : readDestinations(this.#relay),
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
    try {
      await this.#listen();
      for (const warning of config.warnings) log.warn({}, warning);
      const table = await this.#firstLook(ending);
      if (table === null) return;
      await loadClients(Object.values(config.destinations));
      this.#tracing = await beginTracing(config, version, this.#telemetry, log);
      this.#monitor = new LagMonitor(this.#postgres, watched(config, table), this.#telemetry, () => this.#slotSample);
      this.#monitor.start();
      await this.#stand(ending, kill);
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
        return await this.#inspect(this.#postgres, ending);
      } catch (thrown) {
        const error = postgresError(thrown, 'looking at the outbox table');
        if (!error.retryable) throw error;
        this.#telemetry.failed(error);
        await pause(1 + backoffDelay(START_RETRY, attempt), ending);
      }
    }
    return null;
  }

  async #inspect(postgres: PostgresOptions, signal: AbortSignal): Promise<OutboxTable> {
    const client = await connectSql(postgres, 'start', {}, signal);
    try {
      return await withinDeadline(client, LOOK_MS, inspectTable(client, tableMapping(this.#options.config)));
    } finally {
      await closeConnection(client);
    }
  }

  async #stand(ending: AbortSignal, kill: AbortSignal): Promise<void> {
    const { config, log } = this.#options;
    const { schema, name } = config.table;
    await standForElection(
      {
        postgres: this.#postgres,
        table: { schema, name },
        shard: config.shard,
        holder: HOLDER,
        leaseMs: config.leader.lease,
      },
      {
        waiting: () => this.#enter('standby'),
        elected: (epoch) => log.info({ epoch: String(epoch) }, 'this instance is elected'),
        lost: (error) => this.#telemetry.failed(error),
        failed: (error) => this.#telemetry.failed(error),
      },
      (term) => this.#lead(term, ending, kill),
      ending,
    );
  }

  async #lead(term: Term, ending: AbortSignal, kill: AbortSignal): Promise<void> {
    const { primary } = term.place;
    const change = primary === null ? null : this.#primaries.led(primary);
    if (change !== null) this.#telemetry.failed(change);
    const { postgres, left } = postgresOfTerm(this.#postgres, term.place, this.#primaries);
    const lost = AbortSignal.any([term.lost, left]);
    const over = AbortSignal.any([ending, lost]);
    try {
      await this.#endPredecessors(postgres, over);
      await this.#relayFor(await this.#inspect(postgres, over), { ...term, postgres, over, lost, kill });
    } catch (thrown) {
      if (over.aborted) return;
      this.#telemetry.failed(postgresError(thrown, 'beginning to relay'));
      await pause(TERM_RETRY_MS, over);
    } finally {
      if (left.aborted) this.#telemetry.failed(postgresError(left.reason, 'connecting'));
    }
  }

  /** Relays until the term is `over`; then what is in flight is drained, unless leadership is `lost` or `kill` is aborted. */
  async #relayFor(table: OutboxTable, { postgres, over, lost, kill, ...leadership }: TermBounds): Promise<void> {
    const { config } = this.#options;
    const observer: TermObserver = {
      session: (destination, failure) => this.#sessionOpened(destination, failure),
      slot: {
        sampled: (sample) => {
          this.#slotSample = sample;
          this.#telemetry.slotSampled(sample);
        },
        waits: (wait) => this.#telemetry.slotWaits(wait),
        nearBudget: (warning) => this.#telemetry.walBudgetNear(warning),
      },
    };
    const term = buildTermRelay(
      { ...config, postgres },
      table,
      this.#telemetry,
      observer,
      leadership,
      this.#tracing?.tracer ?? null,
    );
    try {
      this.#relay = term.relay;
      await term.relay.start();
      this.#enter('leader');
      await aborted(over);
      this.#enter(lost.aborted ? 'standby' : 'stopping');
      await term.relay.stop(config.shutdown.drain, AbortSignal.any([kill, lost, this.#fatal.signal]));
    } finally {
      await term.relay.abort();
      this.#relay = null;
      await term.close();
    }
  }

  /** A walsender of a relay that is gone may not have noticed yet, and its slot retains log. */
  async #endPredecessors(postgres: PostgresOptions, signal: AbortSignal): Promise<void> {
    const { config } = this.#options;
    const client = await connectSql(postgres, 'start', {}, signal);
    try {
      const ended = await withinDeadline(client, LOOK_MS, endPredecessors(client, slotPrefix(config), config.shard));
      for (const predecessor of ended) this.#options.log.info({ ...predecessor }, 'ended the slot of a predecessor');
    } catch (error) {
      // not permitted to: then it ends by its own timeouts
      this.#telemetry.failed(postgresError(error, 'ending the slots of predecessors'));
    } finally {
      await closeConnection(client);
    }
  }

  /** A login that a broker refuses before it has ever taken one is a mistake in the set-up: the process ends with it. */
  #sessionOpened(destination: string, failure: RelayError | null): void {
    if (failure === null) this.#connected.add(destination);
    else if (failure.code === 'broker_authentication' && !this.#connected.has(destination)) this.#fatal.abort(failure);
  }

  #enter(role: InstanceRole): void {
    if (role === this.#role) return;
    if (role === 'leader' || this.#role === 'leader') this.#telemetry.leader(role === 'leader');
    this.#role = role;
    this.#roleSince = Date.now();
  }
}

function watched(config: Config, table: OutboxTable): WatchedOutbox {
  const destinations = Object.keys(config.destinations);
  return { table, shard: config.shard, destinations, filters: rowFilters(config, table) };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
