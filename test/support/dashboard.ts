import { readFileSync } from 'node:fs';

/** What tests look at in a dashboard. */
export interface Dashboard {
  readonly title: string;
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly panels: readonly DashboardPanel[];
}

export interface DashboardPanel {
  readonly id: number;
  readonly title: string;
  readonly description?: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

/** The dashboard that the chart carries. */
export const DASHBOARD = JSON.parse(
  readFileSync(new URL('../../helm/outbox-relay/dashboards/outbox-relay.json', import.meta.url), 'utf8'),
) as Dashboard;

/** Every query with the title of its panel. */
export const QUERIES: readonly { readonly panel: string; readonly expr: string }[] = DASHBOARD.panels.flatMap(
  ({ title, targets = [] }) => targets.map(({ expr }) => ({ panel: title, expr })),
);

/** An expression as Grafana sends it. @param values of the variables, by their names */
export function filledIn(expression: string, values: Readonly<Record<string, string>>): string {
  return expression.replace(/\$(\w+)/g, (variable, name: string) => values[name] ?? variable);
}
