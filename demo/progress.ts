import type { StatusReport } from '../src/core/status.ts';
import { Accounting } from './accounting.ts';
import type { Snapshot } from './view.ts';

const MESSAGES = 4;
/** Rates are those of the last while; so are latencies, of one to two of these. */
const WINDOW_MS = 2_000;
const LATENCY_WINDOW_MS = 5_000;

interface Reading {
  readonly at: number;
  readonly inserted: number;
  readonly published: number;
}

/** What happens while the demo runs, gathered for the view. */
export class Progress {
  readonly accounting = new Accounting();
  readonly #messages: string[] = [];
  #readings: readonly Reading[] = [];
  #startedAt: number | null = null;
  #latenciesSince = 0;

  /** A message has come out at the other end. */
  readonly arrived = (id: string, line: string): void => {
    this.accounting.arrived(id, performance.now());
    this.#messages.push(line);
    if (this.#messages.length > MESSAGES) this.#messages.shift();
  };

  /**
   * What there is to show; the clock starts with the first.
   *
   * @param status as the relay told it last
   */
  snapshot(status: StatusReport | null): Snapshot {
    const at = performance.now();
    this.#startedAt ??= at;
    const counts = this.accounting.counts();
    const [first] = this.#readings;
    const per = (name: 'inserted' | 'published'): number =>
      first === undefined ? 0 : ((counts[name] - first[name]) * 1000) / Math.max(1, at - first.at);
    const snapshot = {
      ...counts,
      seconds: (at - this.#startedAt) / 1000,
      insertedPerSecond: per('inserted'),
      publishedPerSecond: per('published'),
      latencyMs: this.accounting.recentLatency(),
      status,
      messages: [...this.#messages],
    };
    this.#readings = [...this.#readings.filter((reading) => at - reading.at < WINDOW_MS), { at, ...counts }];
    if (at - this.#latenciesSince >= LATENCY_WINDOW_MS) {
      this.accounting.forgetOldLatencies();
      this.#latenciesSince = at;
    }
    return snapshot;
  }
}
