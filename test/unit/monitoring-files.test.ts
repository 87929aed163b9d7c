/** The dashboard and the alert rules, as far as their text tells; what Prometheus says of them is told by integration tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { METRIC_PREFIX, METRICS, type MetricEntry } from '../../src/observe/metric-catalogue.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { ALERT_NAMES, ALERTS, EXPRESSIONS, hastened } from '../support/alert-rules.ts';
import { DASHBOARD, filledIn, QUERIES } from '../support/dashboard.ts';

const ROOT = new URL('../../', import.meta.url);
const RUNBOOKS = new URL('docs/runbooks/', ROOT);
const CATALOGUE: Readonly<Record<string, MetricEntry>> = METRICS;
/** Labels that Prometheus and its discovery put on every series, and that of a histogram's buckets. */
const TARGET_LABELS = ['cluster', 'namespace', 'job', 'instance', 'shard', 'le'];

/** The entry of the catalogue behind a series' name; undefined when there is none. */
function entryOf(series: string): MetricEntry | undefined {
  const name = series.slice(METRIC_PREFIX.length);
  const family = name.replace(/_(bucket|sum|count)$/, '');
  return CATALOGUE[name] ?? (CATALOGUE[family]?.type === 'histogram' ? CATALOGUE[family] : undefined);
}

/** The selectors of an expression: names of series with the labels that are asked for. */
function selectors(expression: string): { readonly name: string; readonly labels: readonly string[] }[] {
  return [...expression.matchAll(/\b(outbox_relay_\w+)(?:\{([^}]*)\})?/g)].map(([, name = '', matchers = '']) => ({
    name,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }));
}

describe('queries', () => {
  it.each([
    ...QUERIES.map(({ panel, expr }) => ({ of: `panel '${panel}'`, expr })),
    ...EXPRESSIONS.map((expr) => ({ of: 'rules', expr })),
  ])('of $of ask only for series and labels of the catalogue: $expr', ({ expr }) => {
    for (const { name, labels } of selectors(expr)) {
      expect(entryOf(name), name).toBeDefined();
      expect([...TARGET_LABELS, ...(entryOf(name)?.labels ?? [])]).toEqual(expect.arrayContaining([...labels]));
    }
    // what they are told apart by, too
    const known = new Set([...TARGET_LABELS, ...selectors(expr).flatMap(({ name }) => entryOf(name)?.labels ?? [])]);
    for (const [, list = ''] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
      for (const label of list.split(',')) expect(known).toContain(label.trim());
    }
  });
});

describe('the dashboard', () => {
  it('shows every metric of the catalogue, but for those that others include', () => {
    const shown = new Set(QUERIES.flatMap(({ expr }) => selectors(expr).map(({ name }) => entryOf(name))));
    const missing = Object.entries(CATALOGUE).filter(([, entry]) => !shown.has(entry));
    expect(missing.map(([name]) => name).sort()).toEqual([
      'build_info',
      'pass_rows',
      'slot_wal_status',
      'stream_bytes_total',
      'stream_skipped_total',
      'stream_transactions_total',
      'transitions_total',
      'waiting_rows_estimated',
    ]);
  });

  it('asks of the process only for what the process tells', async () => {
    const told = await new Metrics({ version: 'v', node: 'n' }).text();
    const ofProcess = QUERIES.flatMap(({ expr }) => [...expr.matchAll(/\b(?:process|nodejs)_\w+/g)]).map(
      ([name]) => name,
    );
    expect(ofProcess.length).toBeGreaterThan(0);
    for (const name of ofProcess) expect(told).toMatch(new RegExp(`^# TYPE ${name} `, 'm'));
  });

  it('uses the variables that it has, and every one of them', () => {
    const used = QUERIES.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name));
    const names = DASHBOARD.templating.list.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['datasource', 'instance', 'destination']));
    expect(new Set([...used, 'datasource', '__rate_interval'])).toEqual(new Set([...names, '__rate_interval']));
    for (const { definition } of DASHBOARD.templating.list) {
      for (const { name } of selectors(definition ?? '')) expect(entryOf(name)).toBeDefined();
    }
  });

  it('has panels that do not overlap, say what they show, and ask the chosen data source', () => {
    const taken = new Set<string>();
    expect(new Set(DASHBOARD.panels.map(({ id }) => id)).size).toBe(DASHBOARD.panels.length);
    for (const { title, type, description = '', gridPos, datasource } of DASHBOARD.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x}/${y}`), title).toBe(false);
          taken.add(`${x}/${y}`);
        }
      }
      if (type === 'row') continue;
      expect(description, title).toMatch(/\.$/);
      expect(datasource?.uid).toBe('${datasource}');
    }
  });

  it('is filled in as Grafana does', () => {
    expect(filledIn('a{job=~"$job"}[$__rate_interval]', { job: '.*', __rate_interval: '5s' })).toBe('a{job=~".*"}[5s]');
  });
});

describe('the alerts', () => {
  it.each(ALERTS)('$alert say what is wrong, how urgent it is, and where to read on', (rule) => {
    expect(rule.labels.severity).toMatch(/^(critical|warning)$/);
    expect(rule.annotations.summary).toMatch(/^[A-Z][^{]*[^.]$/);
    expect(rule.annotations.description).toMatch(/\.$/);
    expect(rule.annotations.runbook_url).toBe(`docs/runbooks/${rule.alert}.md`);
    expect(existsSync(new URL(rule.annotations.runbook_url ?? '', ROOT))).toBe(true);
    expect(existsSync(new URL(`test/alerts/${rule.alert}.yaml`, ROOT))).toBe(true);
  });

  it('have a page each, which the index links, and no page is without an alert', () => {
    const pages = readdirSync(RUNBOOKS).filter((file) => file !== 'README.md');
    expect(pages.sort()).toEqual(ALERT_NAMES.map((name) => `${name}.md`).sort());
    const index = readFileSync(new URL('README.md', RUNBOOKS), 'utf8');
    for (const page of pages) expect(index).toContain(`(${page})`);
  });

  it.each(ALERT_NAMES)('the page of %s has all its parts', (alert) => {
    const text = readFileSync(fileURLToPath(new URL(`${alert}.md`, RUNBOOKS)), 'utf8');
    const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
    const parts = ['What it means', 'How to look', 'What to do', 'How to confirm', 'When not to worry'];
    expect(headings).toEqual([alert, ...parts]);
  });

  it('can be hastened for a test, every minute a second', () => {
    const rules = 'expr: x[5m] > 60\nfor: 15m\nexpr: y[1h] + z[1d]\nfor: 2m';
    expect(hastened(rules)).toBe('expr: x[5s] > 60\nfor: 15s\nexpr: y[1m] + z[1h]\nfor: 2s');
  });
});
