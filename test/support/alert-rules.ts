import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** A rule of the file as it is written. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RulesFile {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly (AlertRule | { record: string; expr: string })[];
  }[];
}

/** The file of rules that the chart carries. */
export const RULES_PATH = fileURLToPath(
  new URL('../../helm/outbox-relay/alerts/outbox-relay.rules.yaml', import.meta.url),
);

/** Its text. */
export const RULES = readFileSync(RULES_PATH, 'utf8');

const ALL = (parse(RULES) as RulesFile).groups.flatMap(({ rules }) => rules);

/** The alerts; an alert may have several rules. */
export const ALERTS: readonly AlertRule[] = ALL.filter((rule): rule is AlertRule => 'alert' in rule);

/** The expressions of all rules, recording ones too. */
export const EXPRESSIONS: readonly string[] = ALL.map(({ expr }) => expr);

/** The names of the alerts, each once. */
export const ALERT_NAMES: readonly string[] = [...new Set(ALERTS.map(({ alert }) => alert))];

/** The rules with every minute made a second, and every hour a minute, so that a test need not wait: `for` and ranges. */
export function hastened(rules: string): string {
  const shorter: Readonly<Record<string, string>> = { m: 's', h: 'm', d: 'h' };
  return rules.replace(/(\bfor: |\[)(\d+)([mhd])(?=\]|$)/gm, (_, before: string, count: string, unit: string) => {
    return `${before}${count}${shorter[unit] ?? unit}`;
  });
}
