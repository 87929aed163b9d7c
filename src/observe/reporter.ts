import type { ErrorCode } from '../core/error-catalogue.ts';
import type { RelayError } from '../core/errors.ts';
import type { Log, LogFields } from '../core/log.ts';
import { Journal } from './journal.ts';
import { LineLimiter } from './line-limiter.ts';
import type { Metrics } from './metrics.ts';
import { Tap } from './tap.ts';

/** The places that an event is told to, together with the clock they go by. */
export class Reporter {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly journal: Journal;
  /** Where single messages are told, while somebody listens. */
  readonly tap = new Tap();
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How far the database's clock is ahead of {@link now}, in milliseconds, as far as it is known. */
  databaseAheadMs = 0;
  readonly #limiter: LineLimiter;

  constructor(metrics: Metrics, log: Log, now: () => number, monotonic: () => number) {
    this.metrics = metrics;
    this.log = log;
    this.now = now;
    this.journal = new Journal(now, monotonic);
    this.#limiter = new LineLimiter(now);
  }

  /** Counts an error, keeps it for `/status`, and logs it, unless the log has had enough of its kind for now. */
  failed(error: RelayError, message: string, fields: LogFields = {}, destination: string | null = null): void {
    this.metrics.count('errors_total', { code: error.code });
    this.journal.failed(error, destination);
    this.warn(error.code, { ...fields, ...(destination === null ? {} : { destination }), error }, message);
  }

  /** A warning that may come in floods: some lines of its kind a minute, with the number of those left out. */
  warn(code: ErrorCode, fields: LogFields, message: string): void {
    const suppressed = this.#limiter.admit(`${code} ${message} ${String(fields.destination)}`);
    if (suppressed === null) return;
    this.log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
  }
}
