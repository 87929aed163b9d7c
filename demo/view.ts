import type { StatusReport } from '../src/core/status.ts';
import type { Counts } from './accounting.ts';
import type { Percentiles } from './latencies.ts';

/** What is shown. */
export interface Snapshot extends Counts {
  readonly seconds: number;
  readonly insertedPerSecond: number;
  readonly publishedPerSecond: number;
  readonly latencyMs: Percentiles | null;
  readonly status: StatusReport | null;
  /** The latest messages that arrived, oldest first. */
  readonly messages: readonly string[];
}

/** Where it is shown. */
export type ViewStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/** What is shown while the demo runs. */
export interface View {
  /** How often {@link show} is worth calling. */
  readonly intervalMs: number;
  show(snapshot: Snapshot): void;
}

/** A live view in place on a terminal; a line a second elsewhere, or where `NO_COLOR` is set. */
export function createView(stream: ViewStream): View {
  const live = stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return live ? new LiveView(stream) : new LineView(stream);
}

class LineView implements View {
  readonly intervalMs = 1_000;
  readonly #stream: ViewStream;

  constructor(stream: ViewStream) {
    this.#stream = stream;
  }

  show(snapshot: Snapshot): void {
    const { seconds, inserted, published, waiting } = snapshot;
    const counts = `inserted ${inserted}  published ${published}  waiting ${waiting}`;
    this.#stream.write(`${seconds.toFixed(0).padStart(4)}s  ${counts}  lag ${lag(snapshot)}  ${lane(snapshot)}\n`);
  }
}

const UP = (lines: number): string => `\x1b[${lines}A\r`;
const CLEAR_LINE = '\x1b[K';
const BOLD = (text: string): string => `\x1b[1m${text}\x1b[0m`;
const DIM = (text: string): string => `\x1b[2m${text}\x1b[0m`;
const DEFAULT_COLUMNS = 80;

class LiveView implements View {
  readonly intervalMs = 200;
  readonly #stream: ViewStream;
  #shown = 0;

  constructor(stream: ViewStream) {
    this.#stream = stream;
  }

  show(snapshot: Snapshot): void {
    const { columns = 0 } = this.#stream;
    const width = (columns > 0 ? columns : DEFAULT_COLUMNS) - 1;
    const lines = [
      row('inserted', BOLD(String(snapshot.inserted)), `${snapshot.insertedPerSecond.toFixed(0)}/s`),
      row('published', BOLD(String(snapshot.published)), `${snapshot.publishedPerSecond.toFixed(0)}/s`),
      row(
        'waiting',
        BOLD(String(snapshot.waiting)),
        `${snapshot.rolledBack} rolled back, ${snapshot.repeated} repeated`,
      ),
      row('lag', '', lag(snapshot)),
      row('lane', '', lane(snapshot)),
      '',
      ...snapshot.messages.map((message) => DIM(message.slice(0, width))),
    ];
    const up = this.#shown === 0 ? '' : UP(this.#shown);
    // Messages only grow in number, so nothing of the last picture is left below.
    this.#stream.write(`${up}${lines.map((line) => `${line}${CLEAR_LINE}\n`).join('')}`);
    this.#shown = lines.length;
  }
}

function row(name: string, value: string, note: string): string {
  return `  ${name.padEnd(10)} ${value}${value === '' ? '' : '  '}${note}`;
}

function lag({ latencyMs }: Snapshot): string {
  if (latencyMs === null) return '-';
  return `p50 ${latencyMs.p50.toFixed(1)} ms  p99 ${latencyMs.p99.toFixed(1)} ms`;
}

/** Which way the rows come now, and the state of the destination. */
function lane({ status }: Snapshot): string {
  if (status === null) return 'the relay does not answer';
  const [destination] = status.destinations;
  if (destination === undefined) return status.role;
  return `${destination.state} (${status.stream.open ? 'log' : 'table'})`;
}
