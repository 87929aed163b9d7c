import { METRIC_LABELS, METRICS, METRIC_PREFIX, type MetricEntry } from '../../src/observe/metric-catalogue.ts';
import { generatedFrom, page, table } from './markdown.ts';

const UNITS: readonly (readonly [suffix: string, unit: string])[] = [
  ['seconds', 'seconds'],
  ['bytes', 'bytes'],
  ['rows', 'rows'],
  ['messages', 'messages'],
  ['transactions', 'transactions'],
];

const INTRODUCTION = `Served at \`/metrics\` of the admin endpoint (\`admin.host\`, \`admin.port\`) in the format of Prometheus. Names and labels are stable.
Units are base units: seconds, bytes; where none is given, it is a number of what the text names, or 0 and 1. What to make of it: [monitoring.md](monitoring.md).

Every instance tells the lag, whether it leads or stands by; what is told by \`destination\` about states, messages and parked rows,
only the leader does. A gauge whose value is not known is absent, not 0.`;

const PROCESS = `Metrics of the process and of Node have the names that are usual for them: \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`,
\`process_start_time_seconds\`, \`nodejs_eventloop_lag_p99_seconds\`, \`nodejs_heap_size_used_bytes\`, ...`;

/** `docs/metrics.md`. */
export function metricsPage(): string {
  const metrics: readonly (readonly [string, MetricEntry])[] = Object.entries(METRICS);
  const rows = metrics.map(([name, { type, labels, help }]) => [
    `\`${METRIC_PREFIX}${name}\``,
    type,
    unitOf(name),
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return page(
    generatedFrom('src/observe/metric-catalogue.ts'),
    '# Metrics',
    INTRODUCTION,
    table(['Metric', 'Type', 'Unit', 'Labels', 'Meaning'], rows),
    PROCESS,
    '## Labels',
    table(
      ['Label', 'Meaning'],
      Object.entries(METRIC_LABELS).map(([label, meaning]) => [
        `\`${label}\``,
        meaning.replace('errors.md', '[errors.md](errors.md)'),
      ]),
    ),
    '## Buckets',
    'Upper bounds of the histograms; each has one more bucket, without a bound.',
    table(
      ['Histogram', 'Bounds'],
      metrics
        .filter(([, { type }]) => type === 'histogram')
        .map(([name, { buckets }]) => [`\`${METRIC_PREFIX}${name}\``, buckets.join(', ')]),
    ),
  );
}

/** By the name's last word, as it is usual; a name without one has no unit. */
function unitOf(name: string): string {
  const last = name
    .replace(/_total$/, '')
    .split('_')
    .at(-1);
  return UNITS.find(([suffix]) => suffix === last)?.[1] ?? '';
}
