import type { Arrivals } from './arrivals.ts';
import type { Sample } from './monitor.ts';
import type { ProcessUsage } from './process-usage.ts';
import type { ServerUsage } from './server-usage.ts';
import { type CountSample, median, percentile, reachedAt } from './statistics.ts';

/** What is measured in a run, as tables call it. */
export const FIGURES = {
  messagesPerSecond: 'messages/s',
  seconds: 'total s',
  firstMs: 'first ms',
  cpuMicrosPerMessage: 'CPU us',
  cpuMicrosPerMessageSteady: 'CPU us steady',
  peakRssMb: 'peak MB',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  maxMs: 'max ms',
  duplicates: 'duplicates',
  idleCpuPercent: 'idle CPU %',
  idlePostgresCpuPercent: 'idle Postgres %',
  postgresCpuMicrosPerMessage: 'Postgres CPU us',
  walBytesPerMessage: 'WAL B',
  tableBytesPerMessage: 'table B',
  cleanupCpuMicrosPerMessage: 'cleanup CPU us',
  cleanupWalBytesPerMessage: 'cleanup WAL B',
} as const;

export type FigureName = keyof typeof FIGURES;

/** The figures of one run, or the medians of several. NaN: not known. */
export type Figures = Readonly<Record<FigureName, number>>;

/** What the work has cost the server, beyond writing the rows. */
export interface ServerCost {
  readonly work: ServerUsage;
  /** Of the table with its indexes when the work was done. */
  readonly tableBytes: number;
  /** Deleting what is left, and vacuum. */
  readonly cleanup: ServerUsage;
}

/** Shares of a core, in percent. */
export interface IdleCost {
  readonly cpuPercent: number;
  readonly postgresCpuPercent: number;
}

/** What a run has to show. */
export interface RunRecord {
  readonly rows: number;
  /** Undefined for a contestant that publishes nothing. */
  readonly arrivals: Arrivals | undefined;
  readonly samples: readonly Sample[];
  /** Of the whole process, from its start. */
  readonly usage: ProcessUsage;
  /** When the work began: the process was started, or the first row was written. Milliseconds since 1970. */
  readonly beganAt: number;
  readonly warmUpMs: number;
  /** `whole`: the rate is of all messages, from the beginning: who falls behind the writers must not seem faster for it. */
  readonly rateOf: 'middle' | 'whole';
  readonly server: ServerCost | undefined;
  readonly idle: IdleCost | undefined;
}

/**
 * Rates, unless they are of the whole, and steady CPU are of the part between 10 and 90 % of the messages: without start-up, first connections and the
 * last small batches.
 */
export function figuresOf(record: RunRecord): Figures {
  const { rows, usage, samples } = record;
  return {
    ...paceOf(record),
    ...latencyOf(record),
    ...serverFiguresOf(record),
    cpuMicrosPerMessage: usage.cpuMicros / rows,
    cpuMicrosPerMessageSteady: steadyCpu(samples, rows),
    peakRssMb: usage.peakRssMb,
    duplicates: record.arrivals?.duplicates ?? Number.NaN,
    idleCpuPercent: record.idle?.cpuPercent ?? Number.NaN,
    idlePostgresCpuPercent: record.idle?.postgresCpuPercent ?? Number.NaN,
  };
}

function paceOf({ rows, arrivals, samples, beganAt, rateOf }: RunRecord) {
  const times = arrivals?.times() ?? new Float64Array();
  const when = (count: number) =>
    times.length > 0 ? (times[Math.max(1, Math.ceil(count)) - 1] ?? Number.NaN) : reachedAt(samples, count);
  const whole = (rows * 1000) / (when(rows) - beganAt);
  const middle = (rows * 0.8 * 1000) / (when(rows * 0.9) - when(rows * 0.1));
  return {
    messagesPerSecond: rateOf === 'whole' ? whole : middle,
    seconds: (when(rows) - beganAt) / 1000,
    firstMs: when(1) - beganAt,
  };
}

function latencyOf({ arrivals, warmUpMs }: RunRecord) {
  const latencies = arrivals?.latencies(warmUpMs) ?? new Float64Array();
  return {
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
  };
}

function serverFiguresOf({ rows, server }: RunRecord) {
  const each = (total: number | undefined) => (total ?? Number.NaN) / rows;
  return {
    postgresCpuMicrosPerMessage: each(server?.work.cpuMicros),
    walBytesPerMessage: each(server?.work.walBytes),
    tableBytesPerMessage: each(server?.tableBytes),
    cleanupCpuMicrosPerMessage: each(server?.cleanup.cpuMicros),
    cleanupWalBytesPerMessage: each(server?.cleanup.walBytes),
  };
}

function steadyCpu(samples: readonly (CountSample & ProcessUsage)[], rows: number): number {
  const inside = samples.filter(({ count }) => count >= rows * 0.1 && count <= rows * 0.9);
  const first = inside[0];
  const last = inside.at(-1);
  if (first === undefined || last === undefined || last.count === first.count) return Number.NaN;
  return (last.cpuMicros - first.cpuMicros) / (last.count - first.count);
}

/** The median of each figure over several runs. */
export function medians(runs: readonly Figures[]): Figures {
  return eachFigure((name) => median(runs.map((run) => run[name])));
}

/** Least and greatest of each figure over several runs. */
export function spreads(runs: readonly Figures[]): Readonly<Record<FigureName, readonly [number, number]>> {
  return eachFigure((name) => {
    const values = runs.map((run) => run[name]);
    return [Math.min(...values), Math.max(...values)] as const;
  });
}

function eachFigure<T>(make: (name: FigureName) => T): Readonly<Record<FigureName, T>> {
  const names = Object.keys(FIGURES) as FigureName[];
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<FigureName, T>;
}
