import { CIRCUIT_STATES, DESTINATION_STATES } from '../../../../src/core/status.ts';
import { type PanelRow, words } from '../grafana.ts';
import { max, series, stateNumber, sum } from '../queries.ts';

const STATE_COLOR: Readonly<Record<string, string>> = {
  down: 'red',
  catchup: 'yellow',
  handover: 'blue',
  streaming: 'green',
  halted: 'dark-red',
  closed: 'green',
  open: 'red',
  'half-open': 'yellow',
};

const named = (states: readonly string[]) =>
  words(Object.fromEntries(states.map((state, index) => [index + 1, [state, STATE_COLOR[state] ?? 'text']])));

/** Who does what, over time. */
export const STATES: PanelRow = {
  title: 'States',
  height: 6,
  panels: [
    {
      title: 'Destinations',
      description: 'streaming is normal; catchup after a start, an outage, or while there is no log.',
      type: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [{ expr: stateNumber('destination_state', DESTINATION_STATES), legend: '{{destination}} {{shard}}' }],
      defaults: named(DESTINATION_STATES),
    },
    {
      title: 'Circuit breakers',
      description: 'closed is normal; half-open until the broker acknowledges something after a failure.',
      type: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [{ expr: stateNumber('circuit_state', CIRCUIT_STATES), legend: '{{destination}} {{shard}}' }],
      defaults: named(CIRCUIT_STATES),
    },
    {
      title: 'Instances',
      description: 'Who leads. A gap: the instance is not scraped.',
      type: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [{ expr: max(series('leader'), 'instance'), legend: '{{instance}} {{shard}}' }],
      defaults: words({ 0: ['stands by', 'blue'], 1: ['leads', 'green'] }),
    },
    {
      title: 'Shards',
      description: 'Whether an instance leads the shard. Nothing where there is one shard.',
      type: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [{ expr: sum(series('shard_leader')), legend: 'shard {{shard}}' }],
      defaults: words({ 0: ['nobody', 'red'], 1: ['led', 'green'] }),
    },
    {
      title: 'Stream',
      description: 'Whether rows come by the log, or the table is polled.',
      type: 'state-timeline',
      width: 12,
      unit: 'short',
      queries: [{ expr: max(series('stream_open')), legend: 'stream {{shard}}' }],
      defaults: words({ 0: ['polling', 'yellow'], 1: ['open', 'green'] }),
    },
  ],
};
