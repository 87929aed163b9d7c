import type { Config } from '../config/index.ts';
import type { RelayError } from '../core/errors.ts';
import type { StreamSource } from '../core/capture.ts';
import type { TableShard } from '../core/sharding.ts';
import type { SlotObserver } from '../core/status.ts';
import type { OutboxTable } from '../core/table.ts';
import type { MessageTracer } from '../core/trace.ts';
import { streamSource, type StreamOptions } from '../capture/stream/stream-source.ts';
import { PostgresTableReader } from '../capture/table/reader.ts';
import type { Term } from '../leader/term.ts';
import { PostgresAuditor } from '../postgres/audit.ts';
import type { PostgresOptions } from '../postgres/connection.ts';
import { PostgresParkedStore } from '../postgres/parked-store.ts';
import { shardPublication } from '../postgres/publication.ts';
import { SqlSession } from '../postgres/session.ts';
import { PostgresSettler, SETTLE_SETTINGS } from '../postgres/settle.ts';
import { IN_ORDER_SETTINGS, ofShard } from '../postgres/unpublished-rows.ts';
import { PostgresVisibility } from '../postgres/visibility.ts';
import { Relay, type RelayDestination, type RelayOptions } from '../relay/relay.ts';
import type { RelayTelemetry } from '../relay/telemetry.ts';
import { visibleOnly } from '../relay/visible-stream.ts';
import { createRouter } from '../route/router.ts';
import { PublishedExpiry } from './published-expiry.ts';
import { createPublisher } from './publishers.ts';
import { fixedAddresses, routeSpecs, rowFilters } from './routes.ts';
import type { ShardTelemetry } from './shards-telemetry.ts';
import { slotPrefix } from './slot-prefix.ts';

/** The configuration, with the one server that all sessions of the term have to be on. */
export type TermConfig = Config & { readonly postgres: PostgresOptions };

/** A relay for one term of leadership, with the connections that are its own. */
export interface TermRelay {
  readonly relay: Relay;
  /** Ends the connections; the relay must have been stopped. */
  close(): Promise<void>;
}

const PARKED_INTERVAL_MS = 5_000;
const STALL_MS = 10_000;
/** A look at what is visible is quick, or something is wrong. */
const VISIBLE_TIMEOUT_MS = 5_000;

type SessionObserver = (destination: string, failure: RelayError | null) => void;

/** What the relay of a term is built from beside the configuration. */
export interface TermParts {
  readonly table: OutboxTable;
  /** Whose rows it relays; null: all. */
  readonly shard: TableShard | null;
  readonly telemetry: Pick<ShardTelemetry, 'relay' | 'slot'>;
  /** Is told how an attempt to open a session with a destination's broker ended; null: it is open. */
  readonly session: SessionObserver;
  /** Of leadership: its epoch fences what is written, and it is asked before each send. */
  readonly term: Pick<Term, 'epoch' | 'mayPublish'>;
  /** Null: messages are not traced. */
  readonly tracer: MessageTracer | null;
}

/** Builds the relay of one term: everything new, so that nothing stale survives a loss of leadership. */
export function buildTermRelay(config: TermConfig, parts: TermParts): TermRelay {
  const { table, shard, session, term, tracer } = parts;
  const { relay: telemetry, slot } = parts.telemetry;
  const { postgres } = config;
  const names = Object.keys(config.destinations);
  const specs = routeSpecs(config);
  const filters = ofShard(rowFilters(config, table), shard);
  const number = shard?.shard ?? 0;
  const sessions = {
    settle: new SqlSession(postgres, { role: 'settle', settings: SETTLE_SETTINGS }),
    parked: new SqlSession(postgres, { role: 'parked' }),
    audit: new SqlSession(postgres, { role: 'audit', settings: IN_ORDER_SETTINGS }),
    visible: new SqlSession(postgres, { role: 'visible', statementTimeoutMs: VISIBLE_TIMEOUT_MS }),
  };
  const { retain } = config.published;
  // one instance will do for all shards
  const expiry =
    retain === null || number > 0
      ? null
      : new PublishedExpiry(postgres, table, retain, (error) => telemetry.failed(error));
  expiry?.start();
  const readers = names.map(() => new PostgresTableReader({ postgres, table, filters }));
  const relay = new Relay(
    {
      destinations: readers.map((reader, at) => destinationParts(config, names[at] ?? '', reader, session)),
      streamSource: logLane(config, { table, shard }, telemetry, slot, sessions.visible),
      router: createRouter(specs, table, names, tracer === null ? null : { tracer, column: config.tracing.column }),
      settler: new PostgresSettler(sessions.settle, table, retain !== null),
      parkedStore: new PostgresParkedStore(
        sessions.parked,
        table,
        { shard: number, epoch: term.epoch },
        retain !== null,
      ),
      auditor: new PostgresAuditor(sessions.audit, table, filters),
      telemetry,
      mayPublish: term.mayPublish,
    },
    relayOptions(config),
  );
  return {
    relay,
    close: async () => {
      const all = [...readers, ...Object.values(sessions), ...(expiry === null ? [] : [expiry])];
      await Promise.all(all.map((each) => each.close()));
    },
  };
}

/** The stream, of what is in the log or of what is visible. */
function logLane(
  config: TermConfig,
  { table, shard }: Pick<StreamOptions, 'table' | 'shard'>,
  telemetry: RelayTelemetry,
  observer: SlotObserver,
  session: SqlSession,
): StreamSource {
  const { postgres, capture } = config;
  const { transaction, waiting } = memoryShares(config);
  const logged = streamSource({
    postgres,
    table,
    shard,
    publication: shardPublication(capture.publication, shard?.shard ?? 0, config.shards),
    slotPrefix: slotPrefix(config),
    slotTimeoutMs: capture.slotTimeout,
    walBudgetBytes: capture.walBudget,
    maxTransactionBytes: transaction,
    observer,
  });
  if (capture.publishWhen === 'logged') return logged;
  const failed = (error: RelayError): void => telemetry.failed(error);
  return visibleOnly(logged, { visibility: new PostgresVisibility(session), maxBytes: waiting, failed });
}

function destinationParts(
  config: Config,
  name: string,
  reader: PostgresTableReader,
  session: SessionObserver,
): RelayDestination {
  const destination = config.destinations[name];
  if (destination === undefined) throw new RangeError(`no destination ${name}`);
  return {
    name,
    publisher: createPublisher(destination, fixedAddresses(config, name)),
    reader,
    onSession: (failure) => session(name, failure),
  };
}

/**
 * The budget of a shard: what is being received of one transaction, transactions that wait until they are visible, and what
 * destinations hold and have in flight.
 */
function memoryShares({ capture, limits, shards }: Config): Record<'transaction' | 'waiting' | 'destinations', number> {
  // a process may have to lead them all
  const memory = Math.floor(limits.memory / shards);
  const transaction = Math.floor(memory / 4);
  const waiting = capture.publishWhen === 'visible' ? transaction : 0;
  return { transaction, waiting, destinations: memory - transaction - waiting };
}

function relayOptions(config: Config): RelayOptions {
  const { capture, limits } = config;
  return {
    pass: { rows: capture.passRows, timeMs: capture.passTime },
    pollIntervalMs: capture.pollInterval,
    handoverRows: capture.handoverRows,
    streamAllowed: capture.mode !== 'polling',
    memoryBytes: memoryShares(config).destinations,
    undeletedRows: limits.undeleted,
    parkedRows: limits.parked,
    stream: { retryMs: capture.retryReplication, stallMs: STALL_MS },
    auditIntervalMs: capture.auditInterval,
    parkedIntervalMs: PARKED_INTERVAL_MS,
    keepsPublished: config.published.retain !== null,
  };
}
