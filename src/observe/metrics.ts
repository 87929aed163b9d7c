import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { type Exposition, openMetricsText, wantsOpenMetrics } from './exposition.ts';
import { HistogramFamily, type HistogramSeries, type TextFormat } from './histogram.ts';
import {
  METRIC_PREFIX,
  type MetricLabels,
  METRICS,
  type MetricEntry,
  type MetricName,
  type MetricNameOf,
} from './metric-catalogue.ts';

/** Which build this is. */
export interface BuildInfo {
  readonly version: string;
  /** Of Node, e.g. `v20.19.4`. */
  readonly node: string;
}

/**
 * The relay's metrics, every one from the catalogue, in a registry of their own.
 *
 * Histograms are our own: the library takes a microsecond an observation, too much for one a row.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #histograms = new Map<MetricName, HistogramFamily>();
  readonly #refreshers = new Set<() => void>();

  /** @param options `process`: whether metrics of the process and of Node are told too. @default true */
  constructor(build: BuildInfo, options: { readonly process?: boolean } = {}) {
    for (const [name, entry] of metricEntries()) this.#create(name, entry);
    if (options.process !== false) collectDefaultMetrics({ register: this.#registry });
    this.set('build_info', { version: build.version, node: build.node }, 1);
  }

  count<Name extends MetricNameOf<'counter'>>(name: Name, labels: MetricLabels<Name>, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  set<Name extends MetricNameOf<'gauge'>>(name: Name, labels: MetricLabels<Name>, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  /** Removes all series of a gauge: its value is not known, and must not be told as if it were. */
  clear(name: MetricNameOf<'gauge'>): void {
    const gauge = this.#gauges.get(name);
    gauge?.reset();
    if (METRICS[name].labels.length === 0) gauge?.remove();
  }

  /** A series of a histogram, to be kept by those who observe often. */
  histogram<Name extends MetricNameOf<'histogram'>>(name: Name, labels: MetricLabels<Name>): HistogramSeries {
    const family = this.#histograms.get(name);
    if (family === undefined) throw new TypeError(`${name} is not a histogram`);
    return family.series(labels);
  }

  /** Calls `refresh` before each scrape, so that gauges tell the present. Returns the way to end it. */
  beforeScrape(refresh: () => void): () => void {
    this.#refreshers.add(refresh);
    return () => this.#refreshers.delete(refresh);
  }

  /**
   * All metrics, in the format that is asked for: OpenMetrics, which has exemplars, or else Prometheus' text format.
   *
   * @param accept the request's header `accept`
   */
  async expose(accept: string | undefined): Promise<Exposition> {
    if (!wantsOpenMetrics(accept)) return { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: await this.text() };
    return { contentType: Registry.OPENMETRICS_CONTENT_TYPE, body: openMetricsText(await this.#lines('openmetrics')) };
  }

  /** All metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.#lines('prometheus');
  }

  async #lines(format: TextFormat): Promise<string> {
    for (const refresh of this.#refreshers) refresh();
    const histograms = [...this.#histograms.values()].map((family) => family.expose(format));
    return `${await this.#registry.metrics()}\n${histograms.join('\n\n')}\n`;
  }

  #create(name: MetricName, { type, help, labels, buckets }: MetricEntry): void {
    const config = { name: METRIC_PREFIX + name, help, labelNames: labels, registers: [this.#registry] };
    switch (type) {
      case 'counter':
        this.#counters.set(name, new Counter(config));
        break;
      case 'gauge': {
        const gauge = new Gauge(config);
        // The library begins with 0, which would claim to know.
        if (labels.length === 0) gauge.remove();
        this.#gauges.set(name, gauge);
        break;
      }
      case 'histogram':
        this.#histograms.set(name, new HistogramFamily(config.name, help, buckets));
    }
  }
}

function metricEntries(): readonly (readonly [MetricName, MetricEntry])[] {
  return Object.entries(METRICS) as [MetricName, MetricEntry][];
}
