import { blockerText } from './blocker.ts';
import {
  type DestinationStatus,
  SEVERITIES,
  type Severity,
  type ShardStatus,
  type StatusFacts,
  type StatusReason,
  type StatusSummary,
} from './status.ts';

/** Looks at the lag come every five seconds, and may take four. */
const LAG_STALE_SECONDS = 20;
/** As liveness has it. */
const HEARTBEAT_LIMIT_SECONDS = 60;
const WAL_WARNING_SHARE = 0.8;
/** A shard changes hands within a second or, after a fault, a lease: rows that have waited for longer wait for more than that. */
const LATE_SECONDS = 30;

/** Sums the facts of a report up: what an operator is to know first, and why. */
export function summarize(facts: StatusFacts): StatusSummary {
  const reasons = [
    ...destinationReasons(facts),
    ...roleReasons(facts),
    ...shardReasons(facts),
    ...streamReasons(facts),
    ...lagReasons(facts),
    ...parkedReasons(facts),
  ].sort((a, b) => rank(b.severity) - rank(a.severity));
  const severity = reasons[0]?.severity ?? 'ok';
  return { severity, title: titleOf(facts, severity), reasons };
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

function reason(severity: Severity, text: string, more: Partial<StatusReason> = {}): StatusReason {
  return { severity, text, destination: null, code: null, remedy: null, since: null, ...more };
}

function titleOf(facts: StatusFacts, severity: Severity): string {
  const { role, destinations, shards } = facts;
  switch (role) {
    case 'starting':
      return severity === 'critical' ? 'Cannot start yet' : 'Starting';
    case 'stopping':
      return 'Stopping';
    case 'standby':
      return 'Standing by';
    case 'leader':
  }
  const still = destinations.filter(stands);
  if (still.length > 0) return stillTitle(still, destinations.length);
  const unled = shards.filter(nobodyLeads);
  if (severity === 'critical' && unled.length > 0) return `Not publishing ${unled.length} of ${shards.length} shards`;
  if (severity === 'critical') return 'Stuck';
  const behind = destinations.some(({ state }) => state === 'handover' || state === 'catchup');
  return behind && !polls(facts) ? 'Catching up' : 'Publishing';
}

function stillTitle(still: readonly DestinationStatus[], all: number): string {
  if (all === 1) return 'Not publishing';
  return still.length === all
    ? `Not publishing to any of ${all} destinations`
    : `Not publishing to ${still.length} of ${all} destinations`;
}

function stands({ state }: DestinationStatus): boolean {
  return state === 'down' || state === 'halted';
}

/** Whether reading the table is what it does for the time being, and not the way back to the log. */
function polls({ captureMode, stream }: StatusFacts): boolean {
  return captureMode === 'polling' || stream.error !== null || stream.waitsFor !== null;
}

function destinationReasons(facts: StatusFacts): readonly StatusReason[] {
  return facts.destinations.flatMap((destination) => {
    const { name, state, since, circuit } = destination;
    const about = { destination: name, since };
    // one that never was up has had no transition that could tell
    const error = destination.error ?? facts.lastErrors.find((told) => told.destination === name) ?? null;
    const why = error === null ? '' : `: ${error.message}`;
    const mend = { code: error?.code ?? null, remedy: error?.remedy ?? null };
    if (state === 'halted')
      return [reason('critical', `stands still until the relay is restarted${why}`, { ...about, ...mend })];
    if (state === 'down') {
      // a destination begins in this state, before it has tried
      if (error === null && circuit === 'closed') return [reason('working', 'connects to its broker', about)];
      return [reason('critical', `is down, its rows wait in the table${why}`, { ...about, ...mend })];
    }
    if (circuit !== 'closed')
      return [reason('warning', 'is tried again after a failure, and has acknowledged nothing yet', about)];
    if (state === 'streaming' || polls(facts)) return [];
    return [reason('working', `catches up by reading the table${remaining(facts)}`, about)];
  });
}

/** How long the backlog may take, where both figures are known. */
function remaining({ lag, destinations }: StatusFacts): string {
  const rate = destinations.reduce((sum, { rowsPerSecond }) => sum + (rowsPerSecond ?? 0), 0);
  if (lag === null || lag.waitingRowsEstimated || lag.waitingRows < rate || rate < 1) return '';
  return `; at the present rate for about ${Math.ceil(lag.waitingRows / rate)} s more, without what is written meanwhile`;
}

function roleReasons({
  role,
  instances,
  instance,
  lastErrors,
  heartbeatAgeSeconds,
}: StatusFacts): readonly StatusReason[] {
  const stuck =
    heartbeatAgeSeconds !== null && heartbeatAgeSeconds > HEARTBEAT_LIMIT_SECONDS
      ? [reason('critical', `housekeeping has not come round for ${Math.floor(heartbeatAgeSeconds)} s`)]
      : [];
  switch (role) {
    case 'starting': {
      const [error] = lastErrors;
      if (error === undefined) return [...stuck, reason('working', 'looks for the database and the outbox table')];
      return [...stuck, reason('critical', error.message, { code: error.code, remedy: error.remedy })];
    }
    case 'standby': {
      if (instances === null) return [...stuck, reason('ok', 'another instance leads')];
      const leader = instances.find(({ leads, name }) => leads && name !== instance);
      if (leader === undefined) return [...stuck, reason('warning', 'no instance leads at the moment')];
      return [...stuck, reason('ok', `${leader.name ?? 'another instance'} leads; this one takes over when it stops`)];
    }
    case 'leader':
    case 'stopping':
      return stuck;
  }
}

function nobodyLeads({ led }: ShardStatus): boolean {
  return led === false;
}

function shardReasons({ shards, lag }: StatusFacts): readonly StatusReason[] {
  const unled = shards.filter(nobodyLeads).map(({ shard }) => shard);
  if (unled.length === 0) return [];
  const late = (lag?.oldestUnpublishedSeconds ?? 0) > LATE_SECONDS;
  const [which, whose] = unled.length === 1 ? ['shard', 'its'] : ['shards', 'their'];
  return [
    reason(
      late ? 'critical' : 'warning',
      `nobody leads ${which} ${unled.join(', ')}: ${whose} rows wait in the table`,
      {
        remedy: 'Start more instances, or see the latest errors of those that run: outbox-relay status on each.',
      },
    ),
  ];
}

function streamReasons({ role, stream, lag, walBudgetBytes }: StatusFacts): readonly StatusReason[] {
  if (role !== 'leader') return [];
  const { error, waitsFor, since } = stream;
  const slot = lag?.slot ?? null;
  return [
    ...(error === null
      ? []
      : [
          reason('warning', `there is no stream, rows come by polling the table: ${error.message}`, {
            code: error.code,
            remedy: error.remedy,
            since,
          }),
        ]),
    ...(waitsFor === null
      ? []
      : [reason('working', `rows come by polling while the creation of a slot waits for ${blockerText(waitsFor)}`)]),
    ...(slot !== null && (slot.walStatus === 'unreserved' || slot.walStatus === 'lost')
      ? [reason('warning', `Postgres is about to give the slot's log up (wal_status ${slot.walStatus})`)]
      : []),
    ...(slot !== null && walBudgetBytes !== null && slot.retainedBytes > walBudgetBytes * WAL_WARNING_SHARE
      ? [
          reason(
            'warning',
            'the slot retains most of capture.walBudget; beyond it the stream is closed and the table polled',
          ),
        ]
      : []),
  ];
}

function lagReasons({ role, lagAgeSeconds, lastErrors }: StatusFacts): readonly StatusReason[] {
  if (role === 'starting' || role === 'stopping') return [];
  if (lagAgeSeconds === null) {
    return [reason('working', 'the lag has not been measured yet')];
  }
  if (lagAgeSeconds <= LAG_STALE_SECONDS) return [];
  const cause = lastErrors.find(({ destination, code }) => destination === null && code.startsWith('postgres_'));
  const text = `the lag is not known: it could not be measured for ${Math.floor(lagAgeSeconds)} s`;
  return [reason('warning', text, { code: cause?.code ?? null, remedy: cause?.remedy ?? null })];
}

function parkedReasons({ lag, destinations }: StatusFacts): readonly StatusReason[] {
  const rows = Math.max(
    lag?.parkedRows ?? 0,
    destinations.reduce((sum, { parkedRows }) => sum + parkedRows, 0),
  );
  if (rows === 0) return [];
  const text =
    rows === 1
      ? '1 row is parked; later rows of its key wait'
      : `${rows} rows are parked; later rows of their keys wait`;
  return [
    reason('warning', text, {
      remedy: 'See why under parked rows (outbox-relay parked list); mend it, then retry or discard them.',
    }),
  ];
}
