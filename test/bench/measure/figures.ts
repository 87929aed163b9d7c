import type { Arrivals } from './arrivals.ts';
import type { Sample } from './monitor.ts';
import type { ProcessUsage } from './process-usage.ts';
import { median, percentile, reachedAt } from './statistics.ts';

/** What is measured in a run. */
export const FIGURES = {
  messagesPerSecond: 'messages/s',
  seconds: 'total s',
  cpuMicrosPerMessage: 'CPU us',
  cpuMicrosPerMessageSteady: 'CPU us steady',
  peakRssMb: 'peak MB',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  maxMs: 'max ms',
  duplicates: 'duplicates',
} as const;

export type FigureName = keyof typeof FIGURES;

/** The figures of one run, or the medians of several. NaN: not known. */
export type Figures = Readonly<Record<FigureName, number>>;

/** What a run has to show. */
export interface RunRecord {
  readonly arrivals: Arrivals;
  readonly samples: readonly Sample[];
  /** Of the whole process, from its start. */
  readonly usage: ProcessUsage;
  /** When the work began: the process was started, or the first row was written. Milliseconds since 1970. */
  readonly beganAt: number;
  readonly warmUpMs: number;
}

/**
 * Rates and steady CPU are of the part between 10 and 90 % of the messages: without start-up, first connections and the
 * last small batches.
 */
export function figuresOf({ arrivals, samples, usage, beganAt, warmUpMs }: RunRecord): Figures {
  const { rows, duplicates } = arrivals;
  const times = arrivals.times();
  const counted = times.length > 0 ? Array.from(times, (at, index) => ({ at, count: index + 1 })) : samples;
  const from = reachedAt(counted, rows * 0.1);
  const to = reachedAt(counted, rows * 0.9);
  const latencies = arrivals.latencies(warmUpMs);
  return {
    messagesPerSecond: (rows * 0.8 * 1000) / (to - from),
    seconds: (reachedAt(counted, rows) - beganAt) / 1000,
    cpuMicrosPerMessage: usage.cpuMicros / rows,
    cpuMicrosPerMessageSteady: steadyCpu(samples, rows),
    peakRssMb: usage.peakRssMb,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
    duplicates,
  };
}

function steadyCpu(samples: readonly Sample[], rows: number): number {
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
