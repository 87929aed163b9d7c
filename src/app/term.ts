import type { Config } from '../config/index.ts';
import type { RelayError } from '../core/errors.ts';
import type { SlotSample } from '../core/status.ts';
import type { OutboxTable } from '../core/table.ts';
import { streamSource } from '../capture/stream/stream-source.ts';
import { PostgresTableReader } from '../capture/table/reader.ts';
import { PostgresAuditor } from '../postgres/audit.ts';
import { textExpression } from '../postgres/column-text.ts';
import { quoteLiteral } from '../postgres/identifier.ts';
import { PostgresParkedStore } from '../postgres/parked-store.ts';
import { SqlSession } from '../postgres/session.ts';
import { PostgresSettler, SETTLE_SETTINGS } from '../postgres/settle.ts';
import { IN_ORDER_SETTINGS } from '../postgres/unpublished-rows.ts';
import { Relay, type RelayDestination, type RelayOptions } from '../relay/relay.ts';
import type { RelayTelemetry } from '../relay/telemetry.ts';
import { createRowFilters } from '../route/row-filters.ts';
import { createRouter } from '../route/router.ts';
import { createPublisher } from './publishers.ts';
import { fixedAddresses, routeSpecs } from './routes.ts';
import { slotPrefix } from './slot-prefix.ts';

import { PublishedExpiry } from './published-expiry.ts';
/** A relay for one term of leadership, with the connections that are its own. */
export interface TermRelay {
  readonly relay: Relay;
  /** Ends the connections; the relay must have been stopped. */
  close(): Promise<void>;
}

const PARKED_INTERVAL_MS = 5_000;
const STALL_MS = 10_000;

/** Who is told of what concerns the process and not only the relay. */
export interface TermObserver {
  /** How an attempt to open a session with a destination's broker ended; null: it is open. */
  session(destination: string, failure: RelayError | null): void;
  slotSampled(sample: SlotSample): void;
}

/** Builds the relay of one term: everything new, so that nothing stale survives a loss of leadership. */
export function buildTermRelay(
  config: Config,
  table: OutboxTable,
  telemetry: RelayTelemetry,
  observer: TermObserver,
): TermRelay {
  const { postgres } = config;
  const names = Object.keys(config.destinations);
  const specs = routeSpecs(config);
  const filters = createRowFilters(specs, table, names, { textExpression, quoteLiteral });
  const sessions = {
    settle: new SqlSession(postgres, { role: 'settle', settings: SETTLE_SETTINGS }),
    parked: new SqlSession(postgres, { role: 'parked' }),
    audit: new SqlSession(postgres, { role: 'audit', settings: IN_ORDER_SETTINGS }),
  };
  const readers = names.map(() => new PostgresTableReader({ postgres, table, filters }));
  const relay = new Relay(
    {
      destinations: readers.map((reader, at) => destinationParts(config, names[at] ?? '', reader, observer)),
      streamSource: streamSource({
        postgres,
        table,
        publication: config.capture.publication,
        slotPrefix: slotPrefix(config),
        shard: config.shard,
        slotTimeoutMs: config.capture.slotTimeout,
        walBudgetBytes: config.capture.walBudget,
        maxTransactionBytes: memoryShares(config).transaction,
        onSlotSample: (sample) => observer.slotSampled(sample),
      }),
  const { retain } = config.published;
  const expiry =
    retain === null ? null : new PublishedExpiry(postgres, table, retain, (error) => telemetry.failed(error));
  expiry?.start();
      router: createRouter(specs, table, names),
      settler: new PostgresSettler(sessions.settle, table, retain !== null),
      parkedStore: new PostgresParkedStore(sessions.parked, table, config.shard, retain !== null),
      auditor: new PostgresAuditor(sessions.audit, table, filters),
      telemetry,
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

function destinationParts(
  config: Config,
  name: string,
  reader: PostgresTableReader,
  observer: TermObserver,
): RelayDestination {
  const destination = config.destinations[name];
  if (destination === undefined) throw new RangeError(`no destination ${name}`);
  return {
    name,
    publisher: createPublisher(destination, fixedAddresses(config, name)),
    reader,
    onSession: (failure) => observer.session(name, failure),
  };
}

/** The budget in two: what is being received of one transaction, and what destinations hold and have in flight. */
function memoryShares({ limits }: Config): { readonly transaction: number; readonly destinations: number } {
  const transaction = Math.floor(limits.memory / 4);
  return { transaction, destinations: limits.memory - transaction };
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
    stream: { retryMs: capture.retryReplication, stallMs: STALL_MS },
    auditIntervalMs: capture.auditInterval,
    parkedIntervalMs: PARKED_INTERVAL_MS,
  };
}
    keepsPublished: config.published.retain !== null,
