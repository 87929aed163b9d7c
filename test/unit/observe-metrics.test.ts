import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HistogramFamily } from '../../src/observe/histogram.ts';
import { METRIC_PREFIX, METRICS } from '../../src/observe/metric-catalogue.ts';
import { Metrics } from '../../src/observe/metrics.ts';

const BUILD = { version: '1.2.3', node: 'v20.19.4' };

describe('the catalogue', () => {
  it.each(Object.entries(METRICS))('%s follows the conventions', (name, { type, help, labels, buckets }) => {
    expect(name).toMatch(/^[a-z][a-z_]*[a-z]$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(help).toMatch(/\.$/);
    for (const label of labels) expect(label).toMatch(/^[a-z_]+$/);
    expect(buckets.length > 0).toBe(type === 'histogram');
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
  });
});

describe('Metrics', () => {
  it('tells every metric of the catalogue, once, with its type', async () => {
    const text = await new Metrics(BUILD, { process: false }).text();
    for (const [name, { type }] of Object.entries(METRICS)) {
      expect(text.split(`# TYPE ${METRIC_PREFIX}${name} ${type}\n`)).toHaveLength(2);
    }
    expect(text).toContain('outbox_relay_build_info{version="1.2.3",node="v20.19.4"} 1\n');
  });

  it('tells the process too, unless asked not to', async () => {
    expect(await new Metrics(BUILD).text()).toContain('process_resident_memory_bytes');
    expect(await new Metrics(BUILD, { process: false }).text()).not.toContain('process_');
  });

  it('claims nothing of a gauge before it is set, and after it is cleared', async () => {
    const metrics = new Metrics(BUILD, { process: false });
    const lines = async () => (await metrics.text()).split('\n').filter((line) => /^outbox_relay_(waiting_rows|parked_rows)\b/.test(line)); // prettier-ignore
    expect(await lines()).toEqual([]);
    metrics.set('waiting_rows', {}, 0);
    metrics.set('parked_rows', { destination: 'kafka' }, 2);
    expect(await lines()).toEqual(['outbox_relay_parked_rows{destination="kafka"} 2', 'outbox_relay_waiting_rows 0']);
    metrics.clear('waiting_rows');
    metrics.clear('parked_rows');
    expect(await lines()).toEqual([]);
  });

  it('counts per set of labels', async () => {
    const metrics = new Metrics(BUILD, { process: false });
    metrics.count('errors_total', { code: 'internal' });
    metrics.count('errors_total', { code: 'internal' }, 4);
    metrics.count('errors_total', { code: 'route_none' }, 2);
    const text = await metrics.text();
    expect(text).toContain('outbox_relay_errors_total{code="internal"} 5\n');
    expect(text).toContain('outbox_relay_errors_total{code="route_none"} 2\n');
  });

  it('refreshes before each scrape, until that is ended', async () => {
    const metrics = new Metrics(BUILD, { process: false });
    let scrapes = 0;
    const end = metrics.beforeScrape(() => metrics.set('waiting_rows', {}, ++scrapes));
    await metrics.text();
    expect(await metrics.text()).toContain('outbox_relay_waiting_rows 2\n');
    end();
    expect(await metrics.text()).toContain('outbox_relay_waiting_rows 2\n');
  });
});

describe('histograms', () => {
  it('are told as Prometheus reads them', () => {
    const family = new HistogramFamily('h', 'Help.', [0.5, 2]);
    const series = family.series({ destination: 'a"\\\n', lane: 'stream' });
    for (const value of [0, 0.5, 0.51, 2, 3]) series.observe(value);
    expect(family.series({ destination: 'a"\\\n', lane: 'stream' })).toBe(series);
    const labels = String.raw`destination="a\"\\\n",lane="stream"`;
    expect(family.expose('prometheus').split('\n')).toEqual([
      '# HELP h Help.',
      '# TYPE h histogram',
      `h_bucket{${labels},le="0.5"} 2`,
      `h_bucket{${labels},le="2"} 4`,
      `h_bucket{${labels},le="+Inf"} 5`,
      `h_sum{${labels}} 6.01`,
      `h_count{${labels}} 5`,
    ]);
  });

  it('point to the trace of the latest observation of a bucket, in OpenMetrics only', () => {
    const family = new HistogramFamily('h', 'Help.', [0.5, 2]);
    const series = family.series({ lane: 'stream' });
    const trace = (digit: string) => ({ traceId: digit.repeat(32), spanId: digit.repeat(16) });
    series.observeTraced(1, trace('a'), 1_700_000_000_500);
    series.observeTraced(1.5, trace('b'), 1_700_000_001_500);
    series.observe(1.7);
    series.observeTraced(9, trace('c'), 1_700_000_002_000);
    const buckets = (format: 'openmetrics' | 'prometheus') =>
      family
        .expose(format)
        .split('\n')
        .filter((line) => line.startsWith('h_bucket'));
    expect(buckets('openmetrics')).toEqual([
      'h_bucket{lane="stream",le="0.5"} 0',
      `h_bucket{lane="stream",le="2"} 3 # {trace_id="${'b'.repeat(32)}",span_id="${'b'.repeat(16)}"} 1.5 1700000001.5`,
      `h_bucket{lane="stream",le="+Inf"} 4 # {trace_id="${'c'.repeat(32)}",span_id="${'c'.repeat(16)}"} 9 1700000002`,
    ]);
    expect(buckets('prometheus').join('')).not.toContain('#');
  });

  it('count every value in all buckets that reach up to it', () => {
    const bounds = fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 12 });
    const values = fc.array(fc.double({ noNaN: true }));
    fc.assert(
      fc.property(bounds, values, (unsorted, observed) => {
        const sorted = unsorted.toSorted((a, b) => a - b);
        const family = new HistogramFamily('h', 'Help.', sorted);
        const series = family.series({});
        for (const value of observed) series.observe(value);
        const counts = [...family.expose('prometheus').matchAll(/_bucket\{le="[^"]*"\} (\d+)/g)].map((match) =>
          Number(match[1]),
        );
        expect(counts).toEqual([...sorted, Infinity].map((bound) => observed.filter((value) => value <= bound).length));
      }),
    );
  });
});
