import { METRICS, METRIC_PREFIX, type MetricEntry } from '../../src/observe/metric-catalogue.ts';
import { generatedFrom, page, table } from './markdown.ts';

/** `docs/metrics.md`. */
export function metricsPage(): string {
  const metrics: readonly (readonly [string, MetricEntry])[] = Object.entries(METRICS);
  const rows = metrics.map(([name, { type, labels, help }]) => [
    `\`${METRIC_PREFIX}${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return page(
    generatedFrom('src/observe/metric-catalogue.ts'),
    '# Metrics',
    'Served at `/metrics` of the admin endpoint (`admin.host`, `admin.port`) in the format of Prometheus. Names and labels are stable.',
    table(['Metric', 'Type', 'Labels', 'Meaning'], rows),
  );
}
