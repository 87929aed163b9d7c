/** Who leads the shards of an outbox that is shared out, and how their destinations are doing. */
import { byId, h, redraw } from './dom.js';
import { badge, stateSeverity } from './sections.js';

/**
 * @typedef {import('../../core/status.ts').StatusReport} StatusReport
 * @typedef {import('../../core/status.ts').ShardStatus} ShardStatus
 */

/** Not there at all where there is one shard. @param {StatusReport} report */
export function drawShards({ shards, destinations }) {
  byId('shards-section').hidden = shards.length === 0;
  const severities = shards.map(({ states }) =>
    Object.entries(states).map(([name, state]) => {
      const destination = destinations.find((each) => each.name === name);
      return destination === undefined ? 'working' : stateSeverity({ ...destination, state });
    }),
  );
  redraw(byId('shards'), [shards, severities], () =>
    shards.map((one, at) =>
      h(
        'li',
        {},
        h('p', {}, h('strong', {}, `Shard ${one.shard} `), leader(one)),
        ...Object.entries(one.states).map(([name, state], index) =>
          h('p', {}, `${name} `, badge(state, severities[at]?.[index] ?? 'working')),
        ),
      ),
    ),
  );
}

/** @param {ShardStatus} shard */
function leader({ leads, led, holder }) {
  if (leads) return 'led by this instance';
  if (led === null) return h('span', { class: 'faint' }, 'not known yet');
  return led
    ? h('span', { class: 'faint' }, `led by ${holder ?? 'another instance'}`)
    : badge('nobody leads', 'critical');
}
