import type {
  CircuitStateName,
  DestinationStateName,
  InstanceRole,
  ShardStatus,
  StatusFacts,
  StatusReport,
} from '../core/status.ts';
import { summarize } from '../core/status-summary.ts';
import type { Board } from '../leader/board.ts';
import type { DestinationReading, Telemetry } from '../observe/telemetry.ts';
import { circuitOf } from '../relay/circuit.ts';
import type { Relay } from '../relay/relay.ts';
import type { ShardLeader } from './shard-leader.ts';

/** What the destinations hold at this moment, over all shards that this instance leads. */
export function readDestinations(shards: readonly ShardLeader[]): readonly DestinationReading[] {
  const together = new Map<string, DestinationReading>();
  for (const reading of shards.flatMap(({ relay }) => (relay === null ? [] : relay.destinations.map(readOne)))) {
    const others = together.get(reading.name);
    together.set(reading.name, others === undefined ? reading : sum(others, reading));
  }
  return [...together.values()];
}

/** Who leads the shards; nothing where there is one. @param board null before the first look */
export function readShards(shards: readonly ShardLeader[], board: Board | null): readonly ShardStatus[] {
  if (shards.length === 1) return [];
  return shards.map(({ shard, leads, relay }) => ({
    shard,
    leads,
    led: board?.leaders.has(shard) ?? null,
    holder: board?.holders.get(shard) ?? null,
    states: Object.fromEntries((relay?.destinations ?? []).map(({ name, state }) => [name, state.name])),
  }));
}

function readOne({ name, state, outlet, heldBytes }: Relay['destinations'][number]): DestinationReading {
  return {
    name,
    state: state.name,
    circuit: circuitOf(state),
    inFlightMessages: outlet.ledger.sent,
    inFlightBytes: outlet.ledger.sentBytes,
    undeletedRows: outlet.ledger.undeleted,
    heldBytes,
    parkedRows: outlet.parked.size,
  };
}

/** The one that is furthest from streaming first. */
const STATES: readonly DestinationStateName[] = ['halted', 'down', 'catchup', 'handover', 'streaming'];
const CIRCUITS: readonly CircuitStateName[] = ['open', 'half-open', 'closed'];

function sum(one: DestinationReading, other: DestinationReading): DestinationReading {
  return {
    name: one.name,
    state: worst(STATES, one.state, other.state),
    circuit: worst(CIRCUITS, one.circuit, other.circuit),
    inFlightMessages: one.inFlightMessages + other.inFlightMessages,
    inFlightBytes: one.inFlightBytes + other.inFlightBytes,
    undeletedRows: one.undeletedRows + other.undeletedRows,
    heldBytes: one.heldBytes + other.heldBytes,
    parkedRows: one.parkedRows + other.parkedRows,
  };
}

function worst<State>(order: readonly State[], one: State, other: State): State {
  return order.indexOf(one) <= order.indexOf(other) ? one : other;
}

/** What the report is made of beside what the telemetry remembers. */
export interface ReportSources {
  readonly version: string;
  readonly instance: string;
  readonly captureMode: StatusFacts['captureMode'];
  readonly walBudgetBytes: number | null;
  readonly startedAt: number;
  readonly role: InstanceRole;
  readonly roleSince: number;
  readonly destinations: readonly DestinationReading[];
  readonly shards: readonly ShardStatus[];
  readonly telemetry: Telemetry;
  readonly heartbeatAgeSeconds: number | null;
}

/** Composes what `/status` tells. */
export function statusReport({ telemetry, startedAt, roleSince, destinations, ...told }: ReportSources): StatusReport {
  const { journal } = telemetry;
  const started = new Date(startedAt).toISOString();
  const facts: StatusFacts = {
    ...told,
    startedAt: started,
    uptimeSeconds: (Date.now() - startedAt) / 1000,
    roleSince: new Date(roleSince).toISOString(),
    stream: journal.stream,
    destinations: destinations.map((reading) => ({
      ...(journal.lastTransition(reading.name) ?? { since: started, reason: null, error: null }),
      ...reading,
      ...telemetry.throughput(reading.name),
    })),
    lag: journal.lag,
    lagAgeSeconds: journal.lagAgeSeconds,
    instances: journal.instances,
    lastErrors: journal.lastErrors,
  };
  return { summary: summarize(facts), ...facts };
}
