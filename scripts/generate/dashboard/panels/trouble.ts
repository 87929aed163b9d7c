import type { PanelRow } from '../grafana.ts';
import { increase, ofProcess, rate, series, sum } from '../queries.ts';

/** What goes wrong, by its kind. */
export const TROUBLE: PanelRow = {
  title: 'Trouble',
  height: 7,
  panels: [
    {
      title: 'Errors by code',
      description: 'docs/errors.md says what each means and what to do.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [{ expr: `${sum(increase(series('errors_total')), 'code')} > 0`, legend: '{{code}}' }],
    },
    {
      title: 'Parked rows',
      description: 'Set aside; the keys behind them wait.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [{ expr: sum(series('parked_rows'), 'destination'), legend: '{{destination}} {{shard}}' }],
    },
    {
      title: 'Must stay 0',
      description: 'Rows that the stream left behind, rows that somebody else deleted, dead letters that failed.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        { expr: sum(increase(series('stragglers_total'))), legend: 'stragglers {{shard}}' },
        { expr: sum(increase(series('missing_rows_total'))), legend: 'missing rows {{shard}}' },
        {
          expr: sum(increase(series('dead_letter_failures_total')), 'destination'),
          legend: 'dead letters failed {{destination}}',
        },
      ],
    },
    {
      title: 'Refused rows',
      description: 'Refused for good, by what was done about them (onError).',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        {
          expr: sum(increase(series('refused_total')), 'destination', 'code', 'action'),
          legend: '{{destination}} {{code}}: {{action}}',
        },
      ],
    },
    {
      title: 'Breakers opened, streams ended',
      description: 'Now and then is nothing to worry about; every few seconds is.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        {
          expr: sum(increase(series('circuit_opened_total')), 'destination'),
          legend: 'breaker {{destination}} {{shard}}',
        },
        { expr: sum(increase(series('stream_ends_total')), 'code'), legend: 'stream {{code}}' },
        { expr: sum(increase(series('wal_guard_trips_total'))), legend: 'log budget {{shard}}' },
      ],
    },
    {
      title: 'Deletions',
      description: 'Repeated statements; rows that were not visible yet (a synchronous standby is missing).',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        { expr: sum(increase(series('delete_retries_total'))), legend: 'retried {{shard}}' },
        { expr: sum(increase(series('delete_not_visible_total'))), legend: 'not visible {{shard}}' },
      ],
    },
  ],
};

/** The process itself. */
export const PROCESS: PanelRow = {
  title: 'Process',
  height: 7,
  panels: [
    {
      title: 'CPU',
      description: 'Cores in use; the relay can use one and a little.',
      type: 'timeseries',
      width: 6,
      unit: 'short',
      queries: [
        {
          expr: rate(ofProcess('process_cpu_seconds_total')),
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'Resident memory',
      description: 'limits.memory and some 130 MiB.',
      type: 'timeseries',
      width: 6,
      unit: 'bytes',
      queries: [{ expr: ofProcess('process_resident_memory_bytes'), legend: '{{instance}}' }],
    },
    {
      title: 'Event loop delay',
      description: 'p99. Above 100 ms the process has too little CPU.',
      type: 'timeseries',
      width: 6,
      unit: 's',
      queries: [{ expr: ofProcess('nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}}' }],
    },
    {
      title: 'Spans',
      description: 'By what became of them; none where tracing is off.',
      type: 'timeseries',
      width: 6,
      unit: 'ops',
      queries: [{ expr: sum(rate(series('tracing_spans_total')), 'result'), legend: '{{result}}' }],
    },
  ],
};
