import { format, resolveConfig } from 'prettier';
import { DATASOURCE_VARIABLE, type Json, labelVariable, layOut } from './dashboard/grafana.ts';
import { PANEL_ROWS } from './dashboard/panels.ts';
import { METRIC_PREFIX, type MetricName } from '../../src/observe/metric-catalogue.ts';

const metric = (name: MetricName): string => METRIC_PREFIX + name;

/** `helm/outbox-relay/dashboards/outbox-relay.json`, laid out as the formatter wants it. */
export async function dashboardFile(path: string): Promise<string> {
  const layout = await resolveConfig(path);
  return format(JSON.stringify(dashboard()), { ...layout, filepath: path });
}

function dashboard(): Json {
  const build = metric('build_info');
  const chosen = `${build}{namespace=~"$namespace", job=~"$job"}`;
  return {
    uid: 'outbox-relay',
    title: 'outbox-relay',
    description: 'Lag, latency, throughput and states of outbox-relay. docs/monitoring.md says what to look at first.',
    tags: ['outbox-relay'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: '',
    templating: {
      list: [
        DATASOURCE_VARIABLE,
        labelVariable('namespace', 'Namespace', build, true),
        labelVariable('job', 'Job', `${build}{namespace=~"$namespace"}`, false),
        labelVariable('instance', 'Instance', chosen, true),
        labelVariable(
          'destination',
          'Destination',
          `${metric('published_total')}{namespace=~"$namespace", job=~"$job"}`,
          true,
        ),
      ],
    },
    annotations: { list: [] },
    links: [],
    panels: layOut(PANEL_ROWS),
  };
}
