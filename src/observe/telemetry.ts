import { describeError, RelayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import {
  CIRCUIT_STATES,
  DESTINATION_STATES,
  type DestinationGauges,
  type InstanceSample,
  type LagSample,
  type SlotSample,
  type SlotWait,
  type Throughput,
} from '../core/status.ts';
import { DestinationTelemetry } from './destination-telemetry.ts';
import { History } from './history.ts';
import type { Journal } from './journal.ts';
import type { Metrics } from './metrics.ts';
import { Reporter } from './reporter.ts';
import type { Tap } from './tap.ts';
import type { Tracing } from './tracing/spans.ts';

/** What is read of the destinations at each scrape. */
export type DestinationReading = DestinationGauges & { readonly name: string };

const WAL_STATUSES = ['reserved', 'extended', 'unreserved', 'lost'] as const;
const NO_LABELS = {};
/** Of what a collector says. */
const SHOWN_CHARACTERS = 300;

/**
 * What an instance tells of itself: each event as metrics, as a log line where something changes, and in the journal
 * that `/status` is made from. Fits what the relay asks for, without knowing it.
 */
export class Telemetry {
  readonly #reporter: Reporter;
  /** The last hour, a point for each look at the lag. */
  readonly history: History;
  readonly #uptimeSeconds: () => number;
  readonly #destinations = new Map<string, DestinationTelemetry>();
  #read: () => readonly DestinationReading[] = () => [];
  /** Since the last scrape. Summed up here, since the library takes a microsecond a call, and there is one a transaction. */
  #streamed = { transactions: 0, rows: 0, bytes: 0 };
  /** As well, since there may be one a row. */
  #droppedSpans = 0;
  #tracing: Tracing | null = null;

  /** What becomes of published rows. */
  readonly settling = {
    deleted: (rows: number): void => this.#metrics.count('deleted_total', NO_LABELS, rows),
    /** Not visible yet, tried again. */
    notYetVisible: (rows: number): void => this.#metrics.count('delete_not_visible_total', NO_LABELS, rows),
    /** Removed by somebody else. */
    missing: (rows: number): void => {
      this.#metrics.count('missing_rows_total', NO_LABELS, rows);
      const error = new RelayError('rows_missing', `${rows} published rows were no longer in the table`);
      this.#reporter.failed(error, 'somebody else deletes from the outbox');
    },
    failed: (error: RelayError): void => {
      this.#metrics.count('delete_retries_total', NO_LABELS);
      this.#reporter.failed(error, 'deleting published rows failed and is repeated');
    },
  };

  /** What becomes of spans. */
  readonly spans = {
    exported: (spans: number): void => this.#metrics.count('tracing_spans_total', { result: 'exported' }, spans),
    failed: (spans: number, error: unknown): void => {
      this.#metrics.count('tracing_spans_total', { result: 'failed' }, spans);
      const message = describeError(error).slice(0, SHOWN_CHARACTERS);
      this.#reporter.failed(new RelayError('tracing_export', message), 'spans could not be exported', { spans });
    },
    dropped: (spans: number): void => {
      this.#droppedSpans += spans;
    },
  };

  /**
   * @param now milliseconds since 1970
   * @param monotonic milliseconds of a clock that is never set
   */
  constructor(
    metrics: Metrics,
    log: Log,
    now: () => number = Date.now,
    monotonic: () => number = () => performance.now(),
  ) {
    this.#reporter = new Reporter(metrics, log, now, monotonic);
    this.#uptimeSeconds = since(monotonic);
    this.history = new History(now);
    metrics.set('leader', NO_LABELS, 0);
    metrics.set('stream_open', NO_LABELS, 0);
    metrics.count('wal_guard_trips_total', NO_LABELS, 0);
    metrics.beforeScrape(() => this.#refresh());
  }

  /** What was told last. */
  get journal(): Journal {
    return this.#reporter.journal;
  }

  /** Where those listen who want to see single messages. */
  get tap(): Tap {
    return this.#reporter.tap;
  }

  get #metrics(): Metrics {
    return this.#reporter.metrics;
  }

  destination(name: string): DestinationTelemetry {
    const known = this.#destinations.get(name);
    if (known !== undefined) return known;
    const telemetry = new DestinationTelemetry(name, this.#reporter, this.#tracing?.destination(name) ?? null);
    this.#destinations.set(name, telemetry);
    return telemetry;
  }

  /** From now on, what the destinations hold is read by this at each scrape: nothing, while this instance does not lead. */
  watch(read: () => readonly DestinationReading[]): void {
    this.#read = read;
  }

  /** What a destination has published since the process began, and lately. */
  throughput(destination: string): Throughput {
    const publishedRows = this.#destinations.get(destination)?.publishedRows ?? 0;
    return { publishedRows, rowsPerSecond: this.history.rate(destination, publishedRows) };
  }

  /** Messages are traced. To be told before any destination is asked for. */
  trace(tracing: Tracing): void {
    this.#tracing = tracing;
    for (const result of ['exported', 'failed', 'dropped']) this.#metrics.count('tracing_spans_total', { result }, 0);
  }

  leader(leads: boolean): void {
    this.#metrics.set('leader', NO_LABELS, leads ? 1 : 0);
    this.#reporter.log.info(
      { leader: leads },
      leads ? 'this instance publishes now' : 'this instance publishes no longer',
    );
  }

  /** Whether this instance publishes the rows of a shard; told where there are several. */
  shardLed(shard: number, leads: boolean): void {
    this.#metrics.set('shard_leader', { shard: String(shard) }, leads ? 1 : 0);
  }

  streamOpened(slot: string): void {
    this.#metrics.set('stream_open', NO_LABELS, 1);
    this.journal.streamOpened(slot);
    this.#reporter.log.info({ slot }, 'the stream is open');
  }

  /** Opened again after so many milliseconds at the earliest. */
  streamEnded(error: RelayError, retryMs: number): void {
    this.#streamClosed(error);
    this.#reporter.failed(error, 'the stream has ended; the table is read instead', { retryMs });
  }

  /** No stream is to be had; tried again after so many milliseconds. */
  streamUnavailable(error: RelayError, retryMs: number): void {
    this.#streamClosed(error);
    this.#reporter.failed(error, 'no stream is to be had; the table is polled instead', { retryMs });
  }

  /** The stream was closed since nobody needs it. */
  streamClosed(): void {
    this.#metrics.set('stream_open', NO_LABELS, 0);
    this.journal.streamClosed(null);
  }

  /** A look at the slot of the stream that runs or is being opened; null: there is none any more. */
  slotSampled(sample: SlotSample | null): void {
    this.#setOrClear('slot_retained_bytes', sample?.retainedBytes ?? null);
    this.#metrics.clear('slot_wal_status');
    if (sample === null) return;
    for (const status of new Set([...WAL_STATUSES, sample.walStatus])) {
      this.#metrics.set('slot_wal_status', { status }, status === sample.walStatus ? 1 : 0);
    }
  }

  /** The creation of a slot waits for a transaction; null: not any more. */
  slotWaits(wait: SlotWait | null): void {
    this.#setOrClear('slot_blocker_age_seconds', wait?.transaction.ageSeconds ?? null);
    const known = this.journal.stream.waitsFor?.xid;
    this.journal.streamWaits(wait?.transaction ?? null);
    if (wait === null || wait.transaction.xid === known) return;
    this.#reporter.log.info(
      { ...wait },
      'the creation of a slot waits for a transaction; the table is polled meanwhile',
    );
  }

  /** Most of the log budget is used up. */
  walBudgetNear(warning: RelayError): void {
    this.#reporter.failed(warning, 'the slot retains most of the log budget');
  }

  streamed(transactions: number, rows: number, bytes: number): void {
    this.#streamed.transactions += transactions;
    this.#streamed.rows += rows;
    this.#streamed.bytes += bytes;
  }

  stragglers(rows: number): void {
    this.#metrics.count('stragglers_total', NO_LABELS, rows);
    const error = new RelayError('straggler_found', `the audit found ${rows} rows that the stream had left behind`);
    this.#reporter.failed(error, 'rows were left behind by the stream; they are published from the table');
  }

  failed(error: RelayError): void {
    this.#reporter.failed(error, 'the relay met an error');
  }

  /** A look at the table. */
  lagSampled(sample: LagSample): void {
    this.journal.lagSampled(sample);
    this.#remember(sample);
    for (const gauge of DESTINATION_LAG_GAUGES) this.#metrics.clear(gauge);
    this.#metrics.set('oldest_unpublished_seconds', NO_LABELS, sample.oldestUnpublishedSeconds);
    this.#metrics.set('waiting_rows', NO_LABELS, sample.waitingRows);
    this.#metrics.set('waiting_rows_estimated', NO_LABELS, sample.waitingRowsEstimated ? 1 : 0);
    for (const { name: destination, oldestUnpublishedSeconds, waitingRows } of sample.destinations) {
      this.#metrics.set('destination_oldest_unpublished_seconds', { destination }, oldestUnpublishedSeconds);
      this.#metrics.set('destination_waiting_rows', { destination }, waitingRows);
    }
  }

  /** Who stands for election; null when that could not be seen. */
  instancesSampled(instances: readonly InstanceSample[] | null): void {
    this.journal.instancesSampled(instances);
  }

  /** The look failed: what the last one told may no longer be so, and is told no longer; only its age is. */
  lagUnknown(error: RelayError): void {
    for (const gauge of [...LAG_GAUGES, ...DESTINATION_LAG_GAUGES]) this.#metrics.clear(gauge);
    this.#remember(null);
    this.#reporter.failed(error, 'the lag cannot be measured');
  }

  /** How far the database's clock is ahead of this one's, in milliseconds. Latencies are told by the database's from now on. */
  databaseClock(aheadMs: number): void {
    this.#reporter.databaseAheadMs = aheadMs;
    this.#metrics.set('clock_offset_seconds', NO_LABELS, aheadMs / 1000);
  }

  #remember(sample: LagSample | null): void {
    this.history.add({
      lagSeconds: sample?.oldestUnpublishedSeconds ?? null,
      waitingRows: sample?.waitingRows ?? null,
      retainedBytes: sample?.slot?.retainedBytes ?? null,
      published: new Map([...this.#destinations].map(([name, { publishedRows }]) => [name, publishedRows])),
    });
  }

  #streamClosed(error: RelayError): void {
    this.#metrics.set('stream_open', NO_LABELS, 0);
    this.journal.streamClosed(error);
    this.#metrics.count('stream_ends_total', { code: error.code });
    if (error.code === 'wal_budget_exceeded') this.#metrics.count('wal_guard_trips_total', NO_LABELS);
  }

  #countStreamed(): void {
    const { transactions, rows, bytes } = this.#streamed;
    this.#streamed = { transactions: 0, rows: 0, bytes: 0 };
    this.#metrics.count('stream_transactions_total', NO_LABELS, transactions);
    this.#metrics.count('stream_rows_total', NO_LABELS, rows);
    this.#metrics.count('stream_bytes_total', NO_LABELS, bytes);
  }

  #countDropped(): void {
    this.#metrics.count('tracing_spans_total', { result: 'dropped' }, this.#droppedSpans);
    this.#droppedSpans = 0;
  }

  #setOrClear(name: PlainGauge, value: number | null): void {
    if (value === null) this.#metrics.clear(name);
    else this.#metrics.set(name, NO_LABELS, value);
  }

  #refresh(): void {
    this.#countStreamed();
    if (this.#tracing !== null) this.#countDropped();
    this.#metrics.set('lag_sample_age_seconds', NO_LABELS, this.journal.lagAgeSeconds ?? this.#uptimeSeconds());
    for (const gauge of DESTINATION_GAUGES) this.#metrics.clear(gauge);
    for (const reading of this.#read()) {
      const destination = reading.name;
      this.#metrics.set('in_flight_messages', { destination }, reading.inFlightMessages);
      this.#metrics.set('in_flight_bytes', { destination }, reading.inFlightBytes);
      this.#metrics.set('held_bytes', { destination }, reading.heldBytes);
      this.#metrics.set('undeleted_rows', { destination }, reading.undeletedRows);
      this.#metrics.set('parked_rows', { destination }, reading.parkedRows);
      for (const state of DESTINATION_STATES) {
        this.#metrics.set('destination_state', { destination, state }, state === reading.state ? 1 : 0);
      }
      for (const state of CIRCUIT_STATES) {
        this.#metrics.set('circuit_state', { destination, state }, state === reading.circuit ? 1 : 0);
      }
    }
  }
}

/** Tells the seconds since it was made. */
function since(monotonic: () => number): () => number {
  const begin = monotonic();
  return () => (monotonic() - begin) / 1000;
}

const LAG_GAUGES = ['oldest_unpublished_seconds', 'waiting_rows', 'waiting_rows_estimated'] as const;
const DESTINATION_LAG_GAUGES = ['destination_oldest_unpublished_seconds', 'destination_waiting_rows'] as const;

type PlainGauge = 'slot_retained_bytes' | 'slot_blocker_age_seconds';

const DESTINATION_GAUGES = [
  'in_flight_messages',
  'in_flight_bytes',
  'held_bytes',
  'undeleted_rows',
  'parked_rows',
  'destination_state',
  'circuit_state',
] as const;
