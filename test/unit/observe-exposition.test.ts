import { describe, expect, it } from 'vitest';
import { openMetricsText, wantsOpenMetrics } from '../../src/observe/exposition.ts';
import { Metrics } from '../../src/observe/metrics.ts';

/** As Prometheus 3 sends it. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

describe('the format of metrics', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['text/plain', false],
    ['application/openmetrics-text', true],
    [PROMETHEUS, true],
    ['text/plain;q=0.9, application/openmetrics-text;q=0.8', false],
    ['text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.5', true],
    ['application/openmetrics-text;q=0', false],
    ['application/openmetrics-text;q=much', false],
  ])('for %j: OpenMetrics is %j', (accept, wanted) => {
    expect(wantsOpenMetrics(accept)).toBe(wanted);
  });

  it('is turned into OpenMetrics', () => {
    const text = [
      '# HELP a_total Of "a".',
      '# TYPE a_total counter',
      'a_total{b="# TYPE c_total counter"} 1',
      '',
      '# HELP d_total A gauge.',
      '# TYPE d_total gauge',
      'd_total 2',
      '',
    ].join('\n');
    expect(openMetricsText(text)).toBe(
      [
        '# HELP a Of \\"a\\".',
        '# TYPE a counter',
        'a_total{b="# TYPE c_total counter"} 1',
        '# HELP d_total A gauge.',
        '# TYPE d_total gauge',
        'd_total 2',
        '# EOF',
        '',
      ].join('\n'),
    );
  });

  it('holds the same samples in both, and asking for one leaves the other as it is', async () => {
    const metrics = new Metrics({ version: '1', node: 'v24' });
    metrics.count('deleted_total', {}, 3);
    metrics.histogram('pass_seconds', { destination: 'kafka' }).observe(1);
    // what does not change from one scrape to the next
    const samples = (text: string) => text.split('\n').filter((line) => line.startsWith('outbox_relay_'));
    const before = await metrics.expose('text/plain');
    const open = await metrics.expose(PROMETHEUS);
    const after = await metrics.expose(undefined);
    expect([before, open, after].map(({ contentType }) => contentType)).toEqual([
      'text/plain; version=0.0.4; charset=utf-8',
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(samples(open.body)).toEqual(samples(before.body));
    expect(samples(after.body)).toEqual(samples(before.body));
    expect(open.body).toMatch(/^# TYPE outbox_relay_deleted counter$/m);
    expect(after.body).toMatch(/^# TYPE outbox_relay_deleted_total counter$/m);
    expect(open.body).not.toContain('\n\n');
    expect(open.body.endsWith('\n# EOF\n')).toBe(true);
  });
});
