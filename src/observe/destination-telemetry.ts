import type { RelayError } from '../core/errors.ts';
import type { OutgoingMessage } from '../core/message.ts';
import type { OnError, Routed } from '../core/routing.ts';
import type { Lane } from '../core/row.ts';
import type { CircuitStateName, DestinationStateName } from '../core/status.ts';
import type { LogFields } from '../core/log.ts';
import { traceOf } from '../core/trace-propagation.ts';
import type { HistogramSeries } from './histogram.ts';
import type { Reporter } from './reporter.ts';
import type { DestinationSpans } from './tracing/spans.ts';

/** What one destination tells, as metrics and log lines: a line for what changes, none for what flows. */
export class DestinationTelemetry {
  readonly #name: string;
  readonly #reporter: Reporter;
  readonly #spans: DestinationSpans | null;
  readonly #endToEnd: Readonly<Record<Lane, HistogramSeries>>;
  readonly #batchRows: HistogramSeries;
  readonly #passSeconds: HistogramSeries;
  readonly #passRows: HistogramSeries;
  #publishedRows = 0;

  /** @param spans null: messages are not traced */
  constructor(destination: string, reporter: Reporter, spans: DestinationSpans | null) {
    const { metrics } = reporter;
    this.#name = destination;
    this.#spans = spans;
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

  /** Messages that the broker has stored. */
  acknowledged(messages: readonly OutgoingMessage[]): void {
    const { tap } = this.#reporter;
    const at = this.#reporter.now();
    const now = at + this.#reporter.databaseAheadMs;
    if (tap.open) tap.delivered({ destination: this.#name, messages, at, databaseNow: now });
    let streamed = 0;
    for (const { row, trace } of messages) {
      const { lane, since } = row;
      if (lane === 'stream') streamed++;
      if (Number.isNaN(since)) continue;
      // What the difference of the clocks hides: what seems to come from the future took no time.
      const seconds = Math.max(0, now - since) / 1000;
      if (trace) this.#endToEnd[lane].observeTraced(seconds, trace, at);
      else this.#endToEnd[lane].observe(seconds);
    }
    this.#publishedRows += messages.length;
    this.#batchRows.observe(messages.length);
    this.#published('stream', streamed);
    this.#published('table', messages.length - streamed);
    this.#spans?.acknowledged(messages);
  }

  /** An attempt of so many messages failed and is repeated inside the session. */
  retrying(error: RelayError, messages: number): void {
    const destination = this.#name;
    this.#reporter.metrics.count('retried_total', { destination, code: error.code }, messages);
    this.#reporter.failed(error, 'sending failed and is repeated', { messages }, destination);
  }

  /** These were sent to a session that ended before they were acknowledged. */
  forgotten(messages: readonly OutgoingMessage[]): void {
    this.#reporter.metrics.count('resent_total', { destination: this.#name }, messages.length);
    this.#spans?.unacknowledged(messages);
  }

  setAside(routed: Routed, fault: RelayError, action: OnError): void {
    const destination = this.#name;
    this.#reporter.metrics.count('refused_total', { destination, code: fault.code, action });
    this.#reporter.failed(fault, 'a row is set aside', { ...identity(routed), action }, destination);
    this.#spans?.refused(routed, fault);
  }

  deadLetterFailed(routed: Routed, error: RelayError): void {
    const destination = this.#name;
    this.#reporter.metrics.count('dead_letter_failures_total', { destination, code: error.code });
    this.#reporter.failed(error, 'a dead letter could not be sent; its key is parked', identity(routed), destination);
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

/** Which row a line is about; its trace by the names that OpenTelemetry has for them in JSON. */
function identity(routed: Routed): LogFields {
  const { position, id } = routed.row;
  const trace = traceOf(routed);
  return { position, id, ...(trace === null ? {} : { trace_id: trace.traceId, span_id: trace.spanId }) };
}
