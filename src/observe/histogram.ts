import type { TraceIds } from '../core/trace.ts';

/** A text format of Prometheus: OpenMetrics is the one that has room for exemplars. */
export type TextFormat = 'prometheus' | 'openmetrics';

/** The latest observation of a bucket that belongs to a trace. */
interface Exemplar extends TraceIds {
  readonly value: number;
  /** Seconds since 1970. */
  readonly at: number;
}

/** One histogram with a fixed set of labels: what is observed a million times an hour, so no look-up is done here. */
export class HistogramSeries {
  readonly #bounds: readonly number[];
  /** One a bound, and one for what is above them all; not cumulative. */
  readonly #counts: Float64Array;
  /** By bucket. Empty while nothing is traced. */
  readonly #exemplars: (Exemplar | undefined)[] = [];
  #sum = 0;

  /** @param bounds ascending, without infinity */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    this.#observe(value);
  }

  /** What was observed belongs to a trace, which the bucket then points to. @param at milliseconds since 1970 */
  observeTraced(value: number, { traceId, spanId }: TraceIds, at: number): void {
    this.#exemplars[this.#observe(value)] = { traceId, spanId, value, at: at / 1000 };
  }

  /** Returns the bucket. */
  #observe(value: number): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (this.#bounds[middle] ?? Infinity)) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] ?? 0) + 1;
    this.#sum += value;
    return low;
  }

  /** The series' lines. @param labels `name="value"` pairs, joined by commas; may be empty */
  expose(name: string, labels: string, format: TextFormat): string {
    const prefix = labels === '' ? '' : `${labels},`;
    const suffix = labels === '' ? '' : `{${labels}}`;
    const lines: string[] = [];
    let total = 0;
    for (const [index, count] of this.#counts.entries()) {
      total += count;
      const exemplar = format === 'openmetrics' ? exemplarText(this.#exemplars[index]) : '';
      lines.push(`${name}_bucket{${prefix}le="${this.#bounds[index] ?? '+Inf'}"} ${total}${exemplar}`);
    }
    return [...lines, `${name}_sum${suffix} ${this.#sum}`, `${name}_count${suffix} ${total}`].join('\n');
  }
}

/** All series of one histogram metric. */
export class HistogramFamily {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, HistogramSeries>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  /** The series with these labels; made at the first call. */
  series(labels: Readonly<Record<string, string>>): HistogramSeries {
    const text = Object.entries(labels)
      .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
      .join(',');
    const known = this.#series.get(text);
    if (known !== undefined) return known;
    const series = new HistogramSeries(this.#bounds);
    this.#series.set(text, series);
    return series;
  }

  /** The family's lines. */
  expose(format: TextFormat): string {
    const series = [...this.#series].map(([labels, each]) => each.expose(this.#name, labels, format));
    return [`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`, ...series].join('\n');
  }
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, spanId, value, at } = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${value} ${at}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
