import type { Lsn } from '../../core/lsn.ts';
import { encodeStandbyStatus } from './replication-messages.ts';
import { decideReport, replyDelay, type StreamTimings } from './stream-timing.ts';

/** The stream that a reporter speaks for. */
export interface ReportedStream {
  /** How far the log has been received. */
  received(): Lsn;
  /** How many bytes have come in since the beginning; any change is a sign of life. */
  bytesHeard(): number;
  /** Whether reading is held up by ourselves, so that silence means nothing. */
  paused(): boolean;
  send(message: Buffer): void;
  /** The server has not answered in time. */
  dead(silentForMs: number): void;
}

/**
 * Tells the server where the stream is: regularly, paused or not, and when it asks. A report only lets the server
 * recycle its log and keeps it from giving us up; nothing that must not be lost depends on it.
 */
export class StandbyReporter {
  readonly #stream: ReportedStream;
  readonly #timings: StreamTimings;
  readonly #interval: NodeJS.Timeout;
  #reply: NodeJS.Timeout | null = null;
  #reportedAt: number;
  #heardAt: number;
  #heardBytes = 0;
  #askedAt: number | null = null;

  /** Starts at once, with a report. */
  constructor(stream: ReportedStream, timings: StreamTimings) {
    this.#stream = stream;
    this.#timings = timings;
    this.#heardAt = this.#reportedAt = performance.now();
    this.#interval = setInterval(() => this.#tick(), timings.reportEveryMs);
    this.#send(false);
  }

  /** The server wants a report. Coalesced: it may ask thousands of times a second. */
  reply(): void {
    if (this.#reply !== null) return;
    const delay = replyDelay(this.#reportedAt, performance.now(), this.#timings);
    if (delay === 0) this.#send(false);
    else this.#reply = setTimeout(() => this.#send(false), delay);
  }

  stop(): void {
    clearInterval(this.#interval);
    this.#clearReply();
  }

  #tick(): void {
    const now = performance.now();
    const bytes = this.#stream.bytesHeard();
    if (bytes !== this.#heardBytes || this.#stream.paused()) {
      this.#heardBytes = bytes;
      this.#heardAt = now;
      this.#askedAt = null;
    }
    const decision = decideReport({ heardAt: this.#heardAt, askedAt: this.#askedAt }, now, this.#timings);
    if (decision === 'dead') {
      this.stop();
      this.#stream.dead(now - this.#heardAt);
      return;
    }
    if (decision === 'probe') this.#askedAt = now;
    this.#send(decision === 'probe');
  }

  #send(replyRequested: boolean): void {
    this.#clearReply();
    this.#reportedAt = performance.now();
    this.#stream.send(encodeStandbyStatus(this.#stream.received(), Date.now(), replyRequested));
  }

  #clearReply(): void {
    if (this.#reply !== null) clearTimeout(this.#reply);
    this.#reply = null;
  }
}
