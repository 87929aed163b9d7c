/** What the catalogue says of one metric; `docs/metrics.md` is generated from it. */
export interface MetricEntry {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, ascending, without infinity; empty for the others. */
  readonly buckets: readonly number[];
}

/** What every metric's name begins with. */
export const METRIC_PREFIX = 'outbox_relay_';

const SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
] as const;
const ROWS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000] as const;

const metric = <const Type extends MetricEntry['type'], const Labels extends readonly string[]>(
  type: Type,
  labels: Labels,
  help: string,
  buckets: readonly number[] = [],
) => ({ type, labels, help, buckets });

/** Every metric of the relay, by its name without the prefix. Names and labels are stable: dashboards go by them. */
export const METRICS = {
  // publishing
  published_total: metric(
    'counter',
    ['destination', 'lane'],
    'Rows stored durably by the broker, by the lane they came by (stream or table).',
  ),
  end_to_end_seconds: metric(
    'histogram',
    ['destination', 'lane'],
    "From commit (stream) or creation (table) by the database's clock to the broker's acknowledgement.",
    SECONDS,
  ),
  publish_batch_rows: metric('histogram', ['destination'], 'Rows acknowledged together.', ROWS),
  retried_total: metric(
    'counter',
    ['destination', 'code'],
    'Messages whose sending failed and was repeated within the session, by error code.',
  ),
  resent_total: metric(
    'counter',
    ['destination'],
    'Messages whose session ended before their acknowledgement: read and sent again, so possibly delivered twice.',
  ),
  refused_total: metric(
    'counter',
    ['destination', 'code', 'action'],
    'Rows refused for good, by error code and by what was done about it (onError).',
  ),
  dead_letter_failures_total: metric(
    'counter',
    ['destination', 'code'],
    'Dead letters that could not be sent; their keys are parked instead.',
  ),
  parked_rows: metric('gauge', ['destination'], 'Rows set aside; the keys behind them wait.'),
  in_flight_messages: metric('gauge', ['destination'], 'Messages with the publisher, not yet acknowledged.'),
  in_flight_bytes: metric('gauge', ['destination'], 'What these take in memory.'),
  held_bytes: metric('gauge', ['destination'], 'What is held from the stream during a handover.'),
  undeleted_rows: metric('gauge', ['destination'], 'Rows acknowledged and not yet deleted.'),

  // deletion
  deleted_total: metric('counter', [], 'Published rows deleted from the table.'),
  delete_retries_total: metric('counter', [], 'Delete statements that failed and were repeated.'),
  delete_not_visible_total: metric(
    'counter',
    [],
    'Published rows that were not visible yet when they were to be deleted; tried again. Grows while commits wait for a synchronous standby.',
  ),
  missing_rows_total: metric(
    'counter',
    [],
    'Published rows that somebody else had removed from the table. Must stay 0.',
  ),

  // lanes
  destination_state: metric(
    'gauge',
    ['destination', 'state'],
    '1 for the state that the destination is in, 0 for the others.',
  ),
  transitions_total: metric(
    'counter',
    ['destination', 'from', 'to', 'reason'],
    'Changes of state, by the event that led to them.',
  ),
  circuit_state: metric(
    'gauge',
    ['destination', 'state'],
    "1 for the state of the destination's circuit breaker (closed, open, half-open), 0 for the others. Half-open until the broker acknowledges something after a failure.",
  ),
  circuit_opened_total: metric(
    'counter',
    ['destination'],
    'Times that the circuit opened: sessions with the broker that failed, and attempts after it that did.',
  ),
  stream_open: metric('gauge', [], '1 while rows come by the log, 0 while the table is polled.'),
  stream_ends_total: metric('counter', ['code'], 'Streams that broke or could not be had, by error code.'),
  stream_transactions_total: metric('counter', [], 'Transactions with outbox rows that the log delivered.'),
  stream_rows_total: metric('counter', [], 'Rows that the log delivered.'),
  stream_bytes_total: metric('counter', [], 'What these took in memory.'),
  stream_skipped_total: metric(
    'counter',
    ['destination'],
    'Streamed transactions skipped since a pass had published them.',
  ),
  stragglers_total: metric('counter', [], 'Rows that the audit found left behind by the stream. Must stay 0.'),
  pass_seconds: metric('histogram', ['destination'], 'Duration of passes over the table.', SECONDS),
  pass_rows: metric('histogram', ['destination'], 'Rows taken by passes over the table.', ROWS),

  // lag
  oldest_unpublished_seconds: metric(
    'gauge',
    [],
    'Age of the oldest row neither published nor parked; 0 when none waits. Absent while it is not known.',
  ),
  waiting_rows: metric('gauge', [], 'Rows neither published nor parked. Absent while it is not known.'),
  waiting_rows_estimated: metric(
    'gauge',
    [],
    '1 when they were too many to be counted, so that their number is an estimate.',
  ),
  destination_oldest_unpublished_seconds: metric(
    'gauge',
    ['destination'],
    "Age of the destination's oldest row neither published nor parked; 0 when none waits. Absent while it is not known.",
  ),
  destination_waiting_rows: metric(
    'gauge',
    ['destination'],
    'Rows of the destination neither published nor parked, among those that were counted. Absent while it is not known.',
  ),
  slot_retained_bytes: metric(
    'gauge',
    [],
    "Log that the relay's slot makes Postgres keep, also while its creation waits. Absent while there is no slot.",
  ),
  wal_budget_bytes: metric(
    'gauge',
    [],
    'How much that may be before the stream is closed (capture.walBudget). Absent with capture.mode: polling.',
  ),
  wal_guard_trips_total: metric(
    'counter',
    [],
    'Streams, or attempts at one, that were given up since their slot retained more than the budget.',
  ),
  slot_blocker_age_seconds: metric(
    'gauge',
    [],
    'Age of the transaction that the creation of a slot waits for, as far as it is known. Absent while it waits for none.',
  ),
  slot_wal_status: metric(
    'gauge',
    ['status'],
    "1 for the slot's wal_status, 0 for the others. Absent while there is no slot.",
  ),
  lag_sample_age_seconds: metric(
    'gauge',
    [],
    'Since the last successful look at the table; before the first, since the start.',
  ),
  clock_offset_seconds: metric(
    'gauge',
    [],
    "How far the clock of the database is ahead of this machine's; 0 unless it is more than a round trip could hide. Absent before it is known.",
  ),

  // tracing
  tracing_spans_total: metric(
    'counter',
    ['result'],
    'Spans of messages, by what became of them: exported, failed (the collector did not take them), dropped (too many waited).',
  ),

  // instance
  leader: metric('gauge', [], '1 while this instance publishes: all rows, or those of some shards.'),
  shard_leader: metric(
    'gauge',
    ['shard'],
    '1 for the shards whose rows this instance publishes, 0 for the others. Absent where there is one shard.',
  ),
  errors_total: metric('counter', ['code'], 'Errors by code (docs/errors.md).'),
  build_info: metric('gauge', ['version', 'node'], '1, with the version of the relay and of Node.'),
} as const satisfies Record<string, MetricEntry>;

/** What each label tells, and which values it takes. */
export const METRIC_LABELS = {
  destination: 'The destination by its name in the configuration.',
  lane: 'How the rows came: `stream` (by the log) or `table` (by passes over the table).',
  state:
    'The states of a destination (`down`, `catchup`, `handover`, `streaming`, `halted`), or of a circuit breaker (`closed`, `open`, `half-open`). All are told, one of them as 1.',
  from: 'The state that was left.',
  to: 'The state that was entered.',
  reason: 'The event that led to it, such as `opened`, `session-failed`, `pass-ended`.',
  code: 'A code of errors.md.',
  action: 'What was done about a refused row: `park-key`, `dead-letter` or `halt`.',
  status:
    '`pg_replication_slots.wal_status`: `reserved`, `extended`, `unreserved` or `lost`. All are told, one of them as 1.',
  result: 'What became of a span: `exported`, `failed` or `dropped`.',
  shard: 'The number of the shard, from 0 on.',
  version: 'Of the relay.',
  node: 'Of Node.',
} as const satisfies Record<LabelName, string>;

type LabelName = (typeof METRICS)[MetricName]['labels'][number];

export type MetricName = keyof typeof METRICS;

/** The names of all metrics of one type. */
export type MetricNameOf<Type extends MetricEntry['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];

/** The labels of a metric: each of them, and no others. */
export type MetricLabels<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]['labels'][number], string>>;
