/** When a stream reports, and when it takes the server for dead: pure decisions, by the server's own settings. */

/** The intervals of a stream, in milliseconds. */
export interface StreamTimings {
  /** Between two position reports, paused or not. */
  readonly reportEveryMs: number;
  /** At least this lies between two reports, however often the server asks. */
  readonly reportGapMs: number;
  /** After so long a silence the server is asked for an answer. */
  readonly probeAfterMs: number;
  /** So long it may take to answer, before it counts as dead. */
  readonly answerWithinMs: number;
}

const MAX_REPORT_EVERY_MS = 1000;
const REPORT_GAP_MS = 50;
/** Stands in for a `wal_sender_timeout` of 0, which switches it off. */
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Derives the intervals from the server's `wal_sender_timeout`: several reports fit into it, so that none is missed
 * when one is late, and a server that has been silent for twice as long is dead, as itself would think of us.
 *
 * @param walSenderTimeoutMs 0: the server never gives up a silent client
 */
export function streamTimings(walSenderTimeoutMs: number): StreamTimings {
  const timeout = walSenderTimeoutMs > 0 ? walSenderTimeoutMs : DEFAULT_TIMEOUT_MS;
  const reportEveryMs = Math.max(1, Math.min(MAX_REPORT_EVERY_MS, Math.floor(timeout / 4)));
  return {
    reportEveryMs,
    reportGapMs: Math.min(REPORT_GAP_MS, reportEveryMs),
    probeAfterMs: timeout,
    answerWithinMs: timeout,
  };
}

/** What a stream has heard and said, in milliseconds of one monotonic clock. */
export interface Conversation {
  /** When a byte last came in, or when reading was last held up by ourselves. */
  readonly heardAt: number;
  /** Since when the server has been asked and has not answered; null when nothing is open. */
  readonly askedAt: number | null;
}

/** What a regular report has to be like. */
export type ReportDecision = 'report' | 'probe' | 'dead';

/** Whether the report that is due at `now` is a plain one, asks for an answer, or comes too late. */
export function decideReport({ heardAt, askedAt }: Conversation, now: number, timings: StreamTimings): ReportDecision {
  if (askedAt !== null) return now - askedAt >= timings.answerWithinMs ? 'dead' : 'report';
  return now - heardAt >= timings.probeAfterMs ? 'probe' : 'report';
}

/** How long a reply that the server has asked for waits, so that a flood of requests costs few replies. */
export function replyDelay(lastReportAt: number, now: number, timings: StreamTimings): number {
  return Math.max(0, lastReportAt + timings.reportGapMs - now);
}
