import { METRIC_PREFIX, METRICS, type MetricName, type MetricNameOf } from '../../../src/observe/metric-catalogue.ts';

/** What of a histogram is stored as series. */
type HistogramPart = `${MetricNameOf<'histogram'>}_${'bucket' | 'sum' | 'count'}`;

const INSTANCE = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"';

/**
 * A selector for a metric of the catalogue: of the instances that are chosen and, where the metric is told apart by
 * destination, of the destinations that are.
 *
 * @param more matchers, as in `state="open"`
 */
export function series(name: MetricName | HistogramPart, more = ''): string {
  const family = Object.hasOwn(METRICS, name) ? name : name.replace(/_(bucket|sum|count)$/, '');
  const labels: readonly string[] = METRICS[family as MetricName].labels;
  const matchers = [INSTANCE, ...(labels.includes('destination') ? ['destination=~"$destination"'] : []), more];
  return `${METRIC_PREFIX}${name}{${matchers.filter((each) => each !== '').join(', ')}}`;
}

/** A selector for a metric of the process, which the catalogue does not have. */
export const ofProcess = (name: string): string => `${name}{${INSTANCE}}`;

/**
 * Every expression is aggregated by what it is about: leader and standby both look at the table, so that what they tell
 * of it is one value seen twice (`max`), while what each did itself adds up (`sum`).
 */
const by = (labels: readonly string[]): string => `by (${['job', 'shard', ...labels].join(', ')})`;

export const max = (expr: string, ...labels: string[]): string => `max ${by(labels)} (${expr})`;

export const sum = (expr: string, ...labels: string[]): string => `sum ${by(labels)} (${expr})`;

export const rate = (selector: string): string => `rate(${selector}[$__rate_interval])`;

/** What happened in each step of a graph. */
export const increase = (selector: string): string => `increase(${selector}[$__rate_interval])`;

/** A quantile of a histogram, told apart by labels. */
export function quantile(at: number, histogram: MetricNameOf<'histogram'>, more: string, ...labels: string[]): string {
  return `histogram_quantile(${at}, ${sum(rate(series(`${histogram}_bucket`, more)), 'le', ...labels)})`;
}

/** The present one of several states, as a number from 1 on in the order given. */
export function stateNumber(metric: 'destination_state' | 'circuit_state', states: readonly string[]): string {
  const each = states.map((state, index) => `${series(metric, `state="${state}"`)} == 1) * ${index + 1}`);
  return max(each.map((expr) => `(${expr}`).join(' or '), 'destination');
}
