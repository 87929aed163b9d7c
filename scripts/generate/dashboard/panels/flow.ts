import type { Panel, PanelRow } from '../grafana.ts';
import { increase, quantile, rate, series, sum } from '../queries.ts';

function quantiles(lane: 'stream' | 'table', shares: readonly number[], description: string): Panel {
  return {
    title: `Quantiles by destination (${lane})`,
    description,
    type: 'timeseries',
    width: 12,
    unit: 's',
    queries: shares.map((at) => ({
      expr: quantile(at, 'end_to_end_seconds', `lane="${lane}"`, 'destination'),
      legend: `p${at * 100} {{destination}} {{shard}}`,
    })),
  };
}

/** How long rows take. */
export const LATENCY: PanelRow = {
  title: 'Latency',
  height: 9,
  panels: [
    {
      title: 'From commit to acknowledgement (stream)',
      description: 'How many rows took how long. Rows of a backlog, which the table lane reads, are not in it.',
      type: 'heatmap',
      width: 12,
      unit: 's',
      queries: [
        { expr: `sum by (le) (${increase(series('end_to_end_seconds_bucket', 'lane="stream"'))})`, legend: '{{le}}' },
      ],
    },
    quantiles('stream', [0.5, 0.95, 0.99], 'Half, 95 % and 99 % of the rows were faster than this.'),
    quantiles(
      'table',
      [0.5, 0.99],
      'From the creation of a row. Rows that waited for hours count with the hours they waited.',
    ),
    {
      title: 'Passes over the table',
      description: 'Their duration. While rows come by the log there are none.',
      type: 'timeseries',
      width: 12,
      unit: 's',
      queries: [{ expr: quantile(0.99, 'pass_seconds', '', 'destination'), legend: 'p99 {{destination}} {{shard}}' }],
    },
  ],
};

/** How many they are, and where they are on their way. */
export const THROUGHPUT: PanelRow = {
  title: 'Throughput',
  height: 8,
  panels: [
    {
      title: 'Published rows',
      description: 'Stored durably by the broker, by the lane they came by.',
      type: 'timeseries',
      width: 8,
      unit: 'ops',
      queries: [
        {
          expr: sum(rate(series('published_total')), 'destination', 'lane'),
          legend: '{{destination}} {{lane}} {{shard}}',
        },
      ],
    },
    {
      title: 'Streamed and deleted rows',
      description: 'What the log delivered, and what was deleted from the table after its acknowledgement.',
      type: 'timeseries',
      width: 8,
      unit: 'ops',
      queries: [
        { expr: sum(rate(series('stream_rows_total'))), legend: 'streamed {{shard}}' },
        { expr: sum(rate(series('deleted_total'))), legend: 'deleted {{shard}}' },
      ],
    },
    {
      title: 'Messages in flight, rows not yet deleted',
      description: 'With the broker and not yet acknowledged; acknowledged and still in the table.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        { expr: sum(series('in_flight_messages'), 'destination'), legend: 'in flight {{destination}} {{shard}}' },
        { expr: sum(series('undeleted_rows'), 'destination'), legend: 'undeleted {{destination}} {{shard}}' },
      ],
    },
    {
      title: 'Rows a batch',
      description: 'Acknowledged together, on average.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        {
          expr: `${sum(rate(series('publish_batch_rows_sum')), 'destination')} / ${sum(rate(series('publish_batch_rows_count')), 'destination')}`,
          legend: '{{destination}} {{shard}}',
        },
      ],
    },
    {
      title: 'Memory of messages',
      description: 'In flight, and held from the stream during a handover (limits.memory).',
      type: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        { expr: sum(series('in_flight_bytes'), 'destination'), legend: 'in flight {{destination}} {{shard}}' },
        { expr: sum(series('held_bytes'), 'destination'), legend: 'held {{destination}} {{shard}}' },
      ],
    },
    {
      title: 'Repeated messages',
      description: 'Sent again: within a session, and by the next one (possible duplicates).',
      type: 'timeseries',
      width: 8,
      unit: 'ops',
      queries: [
        { expr: sum(rate(series('retried_total')), 'destination', 'code'), legend: 'retried {{destination}} {{code}}' },
        { expr: sum(rate(series('resent_total')), 'destination'), legend: 'resent {{destination}} {{shard}}' },
      ],
    },
  ],
};
