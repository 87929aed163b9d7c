import { type PanelRow, thresholds } from '../grafana.ts';
import { max, rate, series, sum } from '../queries.ts';

const BAD_ABOVE_0 = thresholds([
  { from: null, color: 'green' },
  { from: 1, color: 'red' },
]);

/** What to look at first. */
export const GLANCE: PanelRow = {
  title: 'At a glance',
  height: 4,
  panels: [
    {
      title: 'Lag now',
      description:
        'Age of the oldest row that is neither published nor parked. "unknown": no instance could ask the database.',
      type: 'stat',
      width: 4,
      unit: 's',
      queries: [{ expr: max(series('oldest_unpublished_seconds')), legend: '{{shard}}' }],
      defaults: thresholds([
        { from: null, color: 'green' },
        { from: 10, color: 'yellow' },
        { from: 60, color: 'red' },
      ]),
    },
    {
      title: 'Rows waiting',
      description: 'Neither published nor parked; beyond the first rows an estimate.',
      type: 'stat',
      width: 4,
      unit: 'short',
      queries: [{ expr: max(series('waiting_rows')), legend: '{{shard}}' }],
      defaults: thresholds([{ from: null, color: 'text' }]),
    },
    {
      title: 'Published',
      description: 'Rows a second that the brokers have stored.',
      type: 'stat',
      width: 4,
      unit: 'ops',
      queries: [{ expr: sum(rate(series('published_total'))), legend: '{{shard}}' }],
      defaults: thresholds([{ from: null, color: 'text' }]),
    },
    {
      title: 'Leaders',
      description: 'One instance publishes, the others stand by; with shards several may. 0: nothing is published.',
      type: 'stat',
      width: 3,
      unit: 'short',
      queries: [{ expr: sum(series('leader')), legend: '{{shard}}' }],
      defaults: thresholds([
        { from: null, color: 'red' },
        { from: 1, color: 'green' },
      ]),
    },
    {
      title: 'Destinations in trouble',
      description: 'Down or halted: their rows wait in the table.',
      type: 'stat',
      width: 3,
      unit: 'short',
      queries: [{ expr: sum(series('destination_state', 'state=~"down|halted"')), legend: '{{shard}}' }],
      defaults: BAD_ABOVE_0,
    },
    {
      title: 'Parked rows',
      description: 'Set aside since they could not be published; the keys behind them wait.',
      type: 'stat',
      width: 3,
      unit: 'short',
      queries: [{ expr: sum(series('parked_rows')), legend: '{{shard}}' }],
      defaults: BAD_ABOVE_0,
    },
    {
      title: 'Log retained',
      description: "Share of capture.walBudget that the relay's slot makes Postgres keep. No value: there is no slot.",
      type: 'stat',
      width: 3,
      unit: 'percentunit',
      queries: [
        { expr: `${max(series('slot_retained_bytes'))} / ${max(series('wal_budget_bytes'))}`, legend: '{{shard}}' },
      ],
      defaults: {
        noValue: 'no slot',
        ...thresholds([
          { from: null, color: 'green' },
          { from: 0.5, color: 'yellow' },
          { from: 0.8, color: 'red' },
        ]),
      },
    },
  ],
};

/** How far behind, told from both sides. */
export const LAG: PanelRow = {
  title: 'Lag, from the table and from the slot',
  height: 8,
  panels: [
    {
      title: 'Oldest unpublished row (table)',
      description: 'Its age by the clock of the database. Goes on growing while publishing is stuck. A gap: not known.',
      type: 'timeseries',
      width: 8,
      unit: 's',
      queries: [
        { expr: max(series('oldest_unpublished_seconds')), legend: 'all {{shard}}' },
        {
          expr: max(series('destination_oldest_unpublished_seconds'), 'destination'),
          legend: '{{destination}} {{shard}}',
        },
      ],
    },
    {
      title: 'Rows waiting (table)',
      description:
        'Neither published nor parked; beyond the first 5,000 an estimate, and of a destination at least so many.',
      type: 'timeseries',
      width: 8,
      unit: 'short',
      queries: [
        { expr: max(series('waiting_rows')), legend: 'all {{shard}}' },
        { expr: max(series('destination_waiting_rows'), 'destination'), legend: '{{destination}} {{shard}}' },
      ],
    },
    {
      title: 'Log retained (slot)',
      description: 'What the slot makes Postgres keep, and the budget at which the stream is closed.',
      type: 'timeseries',
      width: 8,
      unit: 'bytes',
      queries: [
        { expr: max(series('slot_retained_bytes')), legend: 'retained {{shard}}' },
        { expr: max(series('wal_budget_bytes')), legend: 'budget {{shard}}' },
      ],
    },
    {
      title: 'Age of the last look at the lag',
      description: 'By instance. Above a minute: this instance cannot ask the database, and tells no lag.',
      type: 'timeseries',
      width: 8,
      unit: 's',
      queries: [{ expr: max(series('lag_sample_age_seconds'), 'instance'), legend: '{{instance}}' }],
    },
    {
      title: 'Transaction that a slot waits for',
      description: 'Its age. /status names it (stream.waitsFor). A gap: none.',
      type: 'timeseries',
      width: 8,
      unit: 's',
      queries: [{ expr: max(series('slot_blocker_age_seconds')), legend: 'age {{shard}}' }],
    },
    {
      title: 'Clock of the database, ahead of ours',
      description: 'By instance. Lag and latency are told by the clock of the database; 0 within a round trip.',
      type: 'timeseries',
      width: 8,
      unit: 's',
      queries: [{ expr: max(series('clock_offset_seconds'), 'instance'), legend: '{{instance}}' }],
      defaults: { min: null },
    },
  ],
};
