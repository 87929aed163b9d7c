import { endPredecessors } from '../capture/stream/slot.ts';
import type { Config } from '../config/index.ts';
import type { RelayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { pause } from '../core/pause.ts';
import type { OutboxTable } from '../core/table.ts';
import type { MessageTracer } from '../core/trace.ts';
import type { Term } from '../leader/term.ts';
import { closeConnection, connectSql, type PostgresOptions } from '../postgres/connection.ts';
import { withinDeadline } from '../postgres/deadline.ts';
import { postgresError } from '../postgres/error.ts';
import type { KnownPrimaries } from '../postgres/primary.ts';
import { inspectTable } from '../postgres/table.ts';
import type { Relay } from '../relay/relay.ts';
import { postgresOfTerm } from './postgres-of-term.ts';
import { tableMapping } from './routes.ts';
import { configuredShards } from './sharding.ts';
import type { ShardTelemetry } from './shards-telemetry.ts';
import { slotPrefix } from './slot-prefix.ts';
import { buildTermRelay } from './term.ts';

/** What a {@link ShardLeader} is made of. */
export interface ShardLeaderParts {
  readonly config: Config;
  readonly log: Log;
  readonly shard: number;
  readonly telemetry: ShardTelemetry;
  /** Of sessions that do not belong to a term. */
  readonly postgres: PostgresOptions;
  readonly primaries: KnownPrimaries;
  /** How an attempt to open a session with a destination's broker ended; null: it is open. */
  readonly session: (destination: string, failure: RelayError | null) => void;
  /** Asked for at the beginning of a term; null: messages are not traced. */
  readonly tracer: () => MessageTracer | null;
  /** {@link ShardLeader.leads} has changed. */
  readonly changed: () => void;
}

/** When a term of leadership ends. */
export interface TermEnd {
  /** What is in flight is drained, and then the term is over. */
  readonly ending: AbortSignal;
  /** At once. */
  readonly kill: AbortSignal;
}

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

/** After a term that could not begin, so that another instance may try. */
const TERM_RETRY_MS = 1_000;
/** For looking at the catalogue, or ending a walsender: quick, or something is wrong. */
const LOOK_MS = 15_000;

/** Leads one shard of the outbox, or the whole of it, from term to term: everything of a term is made anew. */
export class ShardLeader {
  readonly shard: number;
  readonly #parts: ShardLeaderParts;
  #relay: Relay | null = null;
  #leads = false;

  constructor(parts: ShardLeaderParts) {
    this.shard = parts.shard;
    this.#parts = parts;
  }

  /** Whether this instance publishes the shard's rows now. */
  get leads(): boolean {
    return this.#leads;
  }

  /** The relay of the term; null between terms. */
  get relay(): Relay | null {
    return this.#relay;
  }

  /** Leads for one term. @returns false when it could not begin */
  async lead(term: Term, { ending, kill }: TermEnd): Promise<boolean> {
    const { primaries, telemetry } = this.#parts;
    const { primary } = term.place;
    const change = primary === null ? null : primaries.led(primary);
    if (change !== null) telemetry.relay.failed(change);
    const { postgres, left } = postgresOfTerm(this.#parts.postgres, term.place, primaries);
    const lost = AbortSignal.any([term.lost, left]);
    const over = AbortSignal.any([ending, lost]);
    try {
      await this.#endPredecessors(postgres, over);
      const table = await inspectOutbox(this.#parts.config, postgres, over);
      await this.#relayFor(table, { ...term, postgres, over, lost, kill });
      return true;
    } catch (thrown) {
      if (over.aborted) return true;
      telemetry.relay.failed(postgresError(thrown, 'beginning to relay'));
      await pause(TERM_RETRY_MS, over);
      return false;
    } finally {
      if (left.aborted) telemetry.relay.failed(postgresError(left.reason, 'connecting'));
    }
  }

  /** Relays until the term is `over`; then what is in flight is drained, unless leadership is `lost` or `kill` is aborted. */
  async #relayFor(table: OutboxTable, { postgres, over, lost, kill, ...leadership }: TermBounds): Promise<void> {
    const { config, telemetry, session } = this.#parts;
    const shard = configuredShards(config, table)[this.shard] ?? null;
    const tracer = this.#parts.tracer();
    const term = buildTermRelay(
      { ...config, postgres },
      { table, shard, telemetry, session, term: leadership, tracer },
    );
    const { relay } = term;
    try {
      this.#relay = relay;
      await relay.start();
      this.#enter(true);
      await aborted(over);
      this.#enter(false);
      await relay.stop(config.shutdown.drain, AbortSignal.any([kill, lost]));
    } finally {
      await relay.abort();
      this.#relay = null;
      await term.close();
      telemetry.over();
    }
  }

  /** A walsender of a relay that is gone may not have noticed yet, and its slot retains log. */
  async #endPredecessors(postgres: PostgresOptions, signal: AbortSignal): Promise<void> {
    const { config, log, telemetry } = this.#parts;
    const client = await connectSql(postgres, 'start', {}, signal);
    try {
      const ended = await withinDeadline(client, LOOK_MS, endPredecessors(client, slotPrefix(config), this.shard));
      for (const predecessor of ended) log.info({ ...predecessor }, 'ended the slot of a predecessor');
    } catch (error) {
      // not permitted to: then it ends by its own timeouts
      telemetry.relay.failed(postgresError(error, 'ending the slots of predecessors'));
    } finally {
      await closeConnection(client);
    }
  }

  #enter(leads: boolean): void {
    this.#leads = leads;
    this.#parts.changed();
  }
}

/** Finds the configured table. @throws RelayError `postgres_*` */
export async function inspectOutbox(
  config: Config,
  postgres: PostgresOptions,
  signal: AbortSignal,
): Promise<OutboxTable> {
  const client = await connectSql(postgres, 'start', {}, signal);
  try {
    return await withinDeadline(client, LOOK_MS, inspectTable(client, tableMapping(config)));
  } finally {
    await closeConnection(client);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
