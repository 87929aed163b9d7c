import type { RelayError } from '../core/errors.ts';
import type { OnError } from '../core/routing.ts';
import type { Lane, OutboxRow, RowRef } from '../core/row.ts';
import type { CircuitStateName, DestinationStateName } from '../core/status.ts';
import type { HistogramSeries } from './histogram.ts';
import type { Reporter } from './reporter.ts';

/** What one destination tells, as metrics and log lines: a line for what changes, none for what flows. */
export class DestinationTelemetry {
  readonly #name: string;
  readonly #reporter: Reporter;
  readonly #endToEnd: Readonly<Record<Lane, HistogramSeries>>;
  readonly #batchRows: HistogramSeries;
  readonly #passSeconds: HistogramSeries;
  readonly #passRows: HistogramSeries;
  #publishedRows = 0;

  constructor(destination: string, reporter: Reporter) {
    const { metrics } = reporter;
    this.#name = destination;
    this.#reporter = reporter;
    this.#endToEnd = {
      stream: metrics.histogram('end_to_end_seconds', { destination, lane: 'stream' }),
      table: metrics.histogram('end_to_end_seconds', { destination, lane: 'table' }),
    };
    this.#batchRows = metrics.histogram('publish_batch_rows', { destination });
    this.#passSeconds = metrics.histogram('pass_seconds', { destination });
    this.#passRows = metrics.histogram('pass_rows', { destination });
    metrics.count('published_total', { destination, lane: 'stream' }, 0);
    metrics.count('published_total', { destination, lane: 'table' }, 0);
    metrics.count('circuit_opened_total', { destination }, 0);
  }

  /** Rows published since the process began: the sum of `published_total` over the lanes. */
  get publishedRows(): number {
    return this.#publishedRows;
  }

  /** A session with the broker is open. */
  opened(): void {
    this.#reporter.log.info({ destination: this.#name }, 'connected to the broker');
  }

  openFailed(error: RelayError): void {
    this.#reporter.failed(error, 'the broker cannot be published to', {}, this.#name);
  }

  transition(from: DestinationStateName, to: DestinationStateName, reason: string, error: RelayError | null): void {
    const { metrics, journal, log } = this.#reporter;
    const destination = this.#name;
    metrics.count('transitions_total', { destination, from, to, reason });
    journal.transition(destination, reason, error);
    if (error !== null) {
      metrics.count('errors_total', { code: error.code });
      journal.failed(error, destination);
    }
    const fields = { destination, from, to, reason, ...(error === null ? {} : { error }) };
    if (to === 'halted') log.error(fields, 'the destination stands still until the relay is restarted');
    else if (to === 'down') log.warn(fields, 'the destination is down; its rows wait in the table');
    else log.info(fields, `the destination is in ${to}`);
  }

  /** Opening again and again is told rarely by the errors behind it; that it is over, at once. */
  circuit(from: CircuitStateName, to: CircuitStateName): void {
    const { metrics, log } = this.#reporter;
    const destination = this.#name;
    if (to === 'open') metrics.count('circuit_opened_total', { destination });
    const fields = { destination, from, to };
    if (to === 'closed') log.info(fields, 'the circuit is closed: the broker acknowledges again');
    else if (from === 'closed') log.warn(fields, 'the circuit is open: the broker is tried again after a pause');
    else log.debug(fields, `the circuit is ${to}`);
  }

  /** Rows that the broker has stored. */
  acknowledged(rows: readonly OutboxRow[]): void {
    const now = this.#reporter.now() + this.#reporter.databaseAheadMs;
    let streamed = 0;
    for (const { lane, since } of rows) {
      if (lane === 'stream') streamed++;
      // What the difference of the clocks hides: what seems to come from the future took no time.
      if (!Number.isNaN(since)) this.#endToEnd[lane].observe(Math.max(0, now - since) / 1000);
    }
    this.#publishedRows += rows.length;
    this.#batchRows.observe(rows.length);
    this.#published('stream', streamed);
    this.#published('table', rows.length - streamed);
  }

  /** An attempt of so many messages failed and is repeated inside the session. */
  retrying(error: RelayError, messages: number): void {
    const destination = this.#name;
    this.#reporter.metrics.count('retried_total', { destination, code: error.code }, messages);
    this.#reporter.failed(error, 'sending failed and is repeated', { messages }, destination);
  }

  /** So many rows were sent to a session that ended before they were acknowledged. */
  forgotten(rows: number): void {
    this.#reporter.metrics.count('resent_total', { destination: this.#name }, rows);
  }

  setAside(row: RowRef, fault: RelayError, action: OnError): void {
    const destination = this.#name;
    this.#reporter.metrics.count('refused_total', { destination, code: fault.code, action });
    this.#reporter.failed(fault, 'a row is set aside', { ...identity(row), action }, destination);
  }

  deadLetterFailed(row: RowRef, error: RelayError): void {
    const destination = this.#name;
    this.#reporter.metrics.count('dead_letter_failures_total', { destination, code: error.code });
    this.#reporter.failed(error, 'a dead letter could not be sent; its key is parked', identity(row), destination);
  }

  passEnded(outcome: { readonly complete: boolean; readonly taken: number }, durationMs: number): void {
    this.#passSeconds.observe(durationMs / 1000);
    this.#passRows.observe(outcome.taken);
    const { complete, taken } = outcome;
    this.#reporter.log.debug({ destination: this.#name, complete, taken, durationMs }, 'a pass has ended');
  }

  /** Streamed transactions that a pass had already published. */
  skipped(transactions: number): void {
    this.#reporter.metrics.count('stream_skipped_total', { destination: this.#name }, transactions);
  }

  failed(error: RelayError): void {
    this.#reporter.failed(error, 'the destination met an error', {}, this.#name);
  }

  #published(lane: Lane, rows: number): void {
    if (rows > 0) this.#reporter.metrics.count('published_total', { destination: this.#name, lane }, rows);
  }
}

function identity({ position, id }: RowRef): { readonly position: bigint; readonly id: string } {
  return { position, id };
}
