import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { pageEndpoints } from '../../src/admin/page.ts';
import { parkedEndpoints, type ParkedDesk } from '../../src/admin/parked.ts';
import { probeEndpoints } from '../../src/admin/probes.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { secondsText } from '../../src/cli/figures.ts';
import type { StatusFacts } from '../../src/core/status.ts';
import { createLogger } from '../../src/observe/logger.ts';
import type { TapSample } from '../../src/observe/tap.ts';
import { outboxRelay } from '../support/cli.ts';
import { describeWithBrowser } from '../support/browser.ts';
import { type RelayOutbox, relayOutbox } from '../support/relay-outbox.ts';
import { type RelayConfig, type RelayProcess, startRelay } from '../support/relay-process.ts';
import { freshDatabase } from '../support/service.ts';
import { freePort } from '../support/services/ports.ts';
import { until } from '../support/services/until.ts';
import { destinationStatus, statusReport } from '../support/status-report.ts';

const TOKEN = 'a-token-for-this-test-only';
/** What would be an element, a script, an attribute or a template, were it not text. */
const HOSTILE = `"'><img src=x onerror="window.hit=1"><script>window.hit=1</script>\${7*7}{{7*7}}`;
/** Looks at a relay that `statusReport` tells of, a second apart. */
const LAST_MINUTE = Array.from({ length: 60 }, (_, second) => ({
  at: Date.parse(statusReport().startedAt) + second * 1000,
  lagSeconds: 3600,
  waitingRows: 5000,
  retainedBytes: 123_456_789,
  rowsPerSecond: { out: 10_000 },
}));
const TIMEOUT = { timeout: 60_000 };

describeWithBrowser('the status page', (open) => {
  const database = freshDatabase();

  async function relayOf(outbox: RelayOutbox, admin: RelayConfig = {}, destinations: RelayConfig = {}) {
    const routes = [{ destination: 'lost', match: { aggregatetype: 'lost' }, topic: 'x' }, { destination: 'out' }];
    const out = { type: 'console' };
    return startRelay(
      outbox.config({
        destinations: { out, ...destinations },
        routes: 'lost' in destinations ? routes : [{ destination: 'out' }],
        admin,
      }),
    );
  }

  /** Inserts rows whose headers are no object: each is parked with its key. */
  async function insertBad({ admin, table }: RelayOutbox, keys: readonly string[]): Promise<void> {
    const insert = `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload, headers) VALUES ('order', $1, 't', '{}', '[1]')`;
    for (const key of keys) await admin.query(insert, [key]);
  }

  async function parkedKeys({ admin, name }: RelayOutbox): Promise<string[]> {
    const parked = quoteTable(companionTables(name).parked);
    return (await admin.query<{ key: string }>(`SELECT key FROM ${parked} ORDER BY position`)).rows.map(
      ({ key }) => key,
    );
  }

  const text = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText();
  const shows = (page: Page, selector: string, wanted: RegExp): Promise<void> =>
    page.locator(selector).filter({ hasText: wanted }).first().waitFor(TIMEOUT);

  it('tells state and figures as they change, asks nobody but the relay, and has a place for everything', async () => {
    const outbox = await relayOutbox(database.url);
    const relay = await relayOf(outbox);
    await relay.untilState('streaming');
    const { page, troubles, origins } = await open(relay.adminUrl);
    await shows(page, '#title', /^Publishing$/);
    await shows(page, '#link', /^Live$/);
    expect(await text(page, '#role')).toMatch(/^Leader since .*, running for /);
    const tapped = outboxRelay('tap', '--url', relay.adminUrl, '--limit', '3', '--json', '--type', 'sent');
    await until(async () => (await relay.log()).includes('the flow is tapped'), { what: 'somebody who listens' });
    await outbox.insert(3);
    const { code, stdout } = await tapped;
    const samples = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TapSample);
    expect([code, samples.map(({ key }) => key)]).toEqual([0, ['key-1', 'key-2', 'key-3']]);
    expect(samples[0]).toMatchObject({ destination: 'out', type: 'sent', bytes: 2, lane: 'stream' });
    expect(samples[0]).not.toHaveProperty('payload');
    await shows(page, '.figure-rate', /3 since the start/);
    const seconds = [0, 0.0004, 0.4, 0.99, 9.96, 12.4, 59.6, 200, 3600, 7500, 86_399, 300_000];
    const written = `import('/page/format.js').then(({ duration }) => ${JSON.stringify(seconds)}.map(duration))`;
    expect(await page.evaluate(written)).toEqual(seconds.map(secondsText));
    await shows(page, '#destinations', /streaming[^]*closed/);
    await shows(page, '#instances', /\(this one\)[^]*leads[^]*No other instance/);
    await shows(page, '#capture', /the log \(stream\)[^]*of 1 GiB/);
    expect(await page.title()).toBe('Publishing – outbox-relay');

    await page.locator('#config summary').click();
    await shows(page, '#config-text', /postgres:[^]*admin:/);
    for (const landmark of ['banner', 'main', 'contentinfo', 'navigation'] as const)
      expect([landmark, await page.getByRole(landmark).count()]).toEqual([landmark, 1]);
    const headings = await page.getByRole('heading').allInnerTexts();
    expect(headings).toEqual(
      expect.arrayContaining([
        'Publishing',
        'Destinations',
        'Parked rows',
        'Log and slot',
        'Instances',
        'Latest errors',
      ]),
    );
    // two looks at the lag make a line
    await page.locator('.figure-lag polyline').waitFor({ state: 'attached', ...TIMEOUT });
    expect([troubles, [...origins]]).toEqual([[], [relay.adminUrl]]);
    const { headers } = await fetch(relay.adminUrl);
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect([headers.get('x-frame-options'), headers.get('x-content-type-options')]).toEqual(['DENY', 'nosniff']);
  }, 180_000);

  it('puts a broker that cannot be reached first, with its code and what to do', async () => {
    const outbox = await relayOutbox(database.url);
    const broker = { type: 'kafka', brokers: `127.0.0.1:${await freePort()}` };
    const relay = await relayOf(outbox, {}, { lost: broker });
    await relay.untilState('down', 'lost');
    const { page, troubles } = await open(relay.adminUrl);
    await shows(page, '#title', /^Not publishing to 1 of 2 destinations$/);
    expect(await page.locator('#state').getAttribute('data-severity')).toBe('critical');
    await shows(page, '#reasons li:first-child', /^Critical[^]*lost is down[^]*broker_unreachable[^]*To do: /);
    await shows(page, '#destinations tr', /lost[^]*down[^]*open/);
    expect(await page.title()).toMatch(/^Critical: Not publishing/);
    expect(await page.locator('#icon').getAttribute('href')).toBe('page/critical.svg');
    expect(troubles).toEqual([]);
  }, 180_000);

  it('shows what rows hold as text, and offers no change without a token', async () => {
    const outbox = await relayOutbox(database.url);
    const relay = await relayOf(outbox);
    await insertBad(outbox, [HOSTILE, 'plain']);
    await until(async () => (await parkedKeys(outbox)).length === 2, { what: 'two parked rows' });
    const { page, troubles } = await open(relay.adminUrl, { viewport: { width: 390, height: 844 } });
    await shows(page, '#parked', /2 of out parked for route_headers/);
    expect(await text(page, '#parked tbody tr:first-child')).toContain(HOSTILE);
    expect(await page.locator('#parked img, #parked script').count()).toBe(0);
    expect(await page.evaluate('window.hit')).toBeUndefined();
    expect(await page.locator('#parked button').count()).toBe(0);
    await shows(page, '#parked', /set admin\.token or admin\.tokenFile/);
    await shows(page, '#reasons', /2 rows are parked/);
    // on a phone nothing is wider than the screen
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect([width, troubles]).toEqual([390, []]);
    const refused = await fetch(`${relay.adminUrl}/parked/discard`, { method: 'POST', body: '{"all":true}' });
    expect([refused.status, await parkedKeys(outbox)]).toEqual([403, [HOSTILE, 'plain']]);
  }, 180_000);

  it('retries and discards by keyboard for who has the token, and logs who did', async () => {
    const outbox = await relayOutbox(database.url);
    const relay = await relayOf(outbox, { token: TOKEN });
    await insertBad(outbox, ['a', 'b', 'c', 'd']);
    await until(async () => (await parkedKeys(outbox)).length === 4, { what: 'four parked rows' });
    const { page } = await open(relay.adminUrl);
    await shows(page, '#title', /^Token needed$/);
    expect(await page.locator('#parked').isVisible()).toBe(false);
    await giveToken(page, 'not-the-token-of-this');
    await shows(page, '#token-outcome', /refuses this token/);
    await giveToken(page, TOKEN);
    await shows(page, '#parked', /4 of out parked for route_headers/);

    const discard = page.getByRole('button', { name: /^Discard: .* key c$/ });
    await discard.focus();
    await page.keyboard.press('Enter');
    await shows(page, '#confirm', /Discard for good\?[^]*key c/);
    // the first key does no harm
    await page.keyboard.press('Enter');
    await page.locator('#confirm').waitFor({ state: 'hidden' });
    expect(await parkedKeys(outbox)).toEqual(['a', 'b', 'c', 'd']);
    await discard.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await shows(page, '#parked-outcome', /^1 row discarded\.$/);
    expect(await parkedKeys(outbox)).toEqual(['a', 'b', 'd']);

    // mended, the row goes out
    await outbox.admin.query(`UPDATE ${outbox.table} SET headers = NULL WHERE aggregateid = 'b'`);
    await page.getByRole('button', { name: /^Retry: .* key b$/ }).click();
    await shows(page, '#parked-outcome', /^1 row: published again within seconds\.$/);
    await outbox.untilSize(2);

    await page.getByRole('button', { name: /^Discard: 2 rows of out/ }).click();
    await page.locator('#confirm-yes').click();
    await shows(page, '#parked-outcome', /^2 rows discarded\.$/);
    await shows(page, '#parked', /^None\.$/);
    await outbox.untilEmpty();
    const log = await relay.log();
    const audited = log.split('\n').filter((line) => line.includes('parked rows were changed over the admin port'));
    expect(audited.map((line) => (JSON.parse(line) as { action: string; rows: number }).action)).toEqual([
      'discard',
      'retry',
      'discard',
    ]);
    expect(log).not.toContain(TOKEN);
  }, 180_000);

  it('says that it is disconnected and how old its figures are, and goes on when the relay is back', async () => {
    const outbox = await relayOutbox(database.url);
    const port = await freePort();
    const first = await relayOf(outbox, { port });
    const { page, troubles } = await open(first.adminUrl);
    await shows(page, '#title', /^(Publishing|Catching up)$/);
    await first.end('SIGKILL');
    await shows(page, '#link', /^Disconnected, data \d+ s old$/);
    await shows(page, '#banner', /does not answer\. What is shown is from [\d:]+ and may no longer be so/);
    expect(await page.title()).toBe('Disconnected – outbox-relay');
    const before = await text(page, '#instance');
    await relayOf(outbox, { port });
    await shows(page, '#link', /^Live$/);
    expect(await page.locator('#banner').isVisible()).toBe(false);
    expect(await text(page, '#instance')).not.toBe(before);
    expect(troubles.filter((line) => !line.includes('ERR_'))).toEqual([]);
  }, 180_000);

  it('tells of each shard who leads it and how its destinations are doing, in both themes and on a phone', async () => {
    const holder = 'a-relay-with-a-name-of-some-length-7d9f8b6c5-x2v9q 4711';
    const states = { out: 'streaming', lost: 'down' } as const;
    let shards: StatusFacts['shards'] = [
      { shard: 0, leads: true, led: true, holder: 'here 1', states },
      { shard: 1, leads: false, led: true, holder, states: {} },
      { shard: 2, leads: false, led: false, holder, states: {} },
      { shard: 3, leads: false, led: null, holder: null, states: {} },
    ];
    const lost = destinationStatus({ name: 'lost', state: 'down', circuit: 'open' });
    const url = await pageOf(() => ({ destinations: [destinationStatus({ name: 'out' }), lost], shards }));
    const { page, troubles } = await open(url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
    await shows(page, '#shards', /Shard 3/);
    expect((await page.locator('#shards li').allInnerTexts()).map((shown) => shown.split(/\s*\n\s*/))).toEqual([
      ['Shard 0 led by this instance', 'out streaming', 'lost down'],
      [`Shard 1 led by ${holder}`],
      ['Shard 2 nobody leads'],
      ['Shard 3 not known yet'],
    ]);
    const severities = '[...document.querySelectorAll("#shards .badge")].map(({ dataset }) => dataset.severity)';
    expect(await page.evaluate(severities)).toEqual(['ok', 'critical', 'critical']);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await shows(page, '.figure-waiting .most', /^most 5,000$/);
    await page.setViewportSize({ width: 340, height: 700 });
    const cut =
      '[...document.querySelectorAll(".axis")].filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).length';
    expect(await page.evaluate(cut)).toBe(0);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await faintTexts(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await faintTexts(page)).toEqual([]);

    shards = [];
    await page.locator('#shards-section').waitFor({ state: 'hidden', ...TIMEOUT });
    expect(troubles).toEqual([]);
  }, 180_000);

  it('is legible in both themes, and reads the last hour by keyboard', async () => {
    const outbox = await relayOutbox(database.url);
    const relay: RelayProcess = await relayOf(outbox);
    await insertBad(outbox, ['a']);
    const { page } = await open(relay.adminUrl, { colorScheme: 'dark' });
    await shows(page, '#parked', /route_headers/);
    const dark = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(await faintTexts(page)).toEqual([]);
    const theme = page.getByRole('button', { name: 'Theme: auto' });
    await theme.click();
    await page.getByRole('button', { name: 'Theme: light' }).waitFor(TIMEOUT);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).not.toBe(dark);
    expect(await faintTexts(page)).toEqual([]);
    await page.reload();
    await page.getByRole('button', { name: 'Theme: light' }).waitFor(TIMEOUT);

    await page.locator('.figure-lag polyline').waitFor({ state: 'attached', ...TIMEOUT });
    const slider = page.getByRole('slider');
    await slider.focus();
    await page.keyboard.press('Home');
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^\d\d:\d\d:\d\d: /);
    expect(await text(page, '.figure-waiting .moment')).toMatch(/^\d\d:\d\d:\d\d: \d/);
    await page.keyboard.press('Escape');
    expect(await slider.getAttribute('aria-valuetext')).toBe('now');
  }, 180_000);
});

/** A page that is told these facts. Returns where it is served, until the running test ends. */
async function pageOf(facts: () => Partial<StatusFacts>): Promise<string> {
  const metrics = { expose: () => Promise.resolve({ contentType: 'text/plain', body: '' }) };
  const desk: ParkedDesk = {
    list: () => Promise.resolve({ asOf: new Date().toISOString(), groups: [], rows: [] }),
    change: () => Promise.resolve(0),
  };
  const log = createLogger({ level: 'silent' });
  const server = new AdminServer(
    { host: '127.0.0.1', port: 0 },
    [
      ...probeEndpoints({ metrics, status: () => statusReport(facts()) }),
      ...pageEndpoints({
        history: (after) => LAST_MINUTE.filter(({ at }) => at > after),
        config: () => Promise.resolve(''),
      }),
      ...parkedEndpoints(desk, log),
    ],
    log,
  );
  await server.listen();
  onTestFinished(() => server.close(1_000));
  return `http://127.0.0.1:${server.port}`;
}

async function giveToken(page: Page, token: string): Promise<void> {
  const dialog = page.locator('#token-dialog');
  if (!(await dialog.isVisible())) await page.getByRole('button', { name: 'Token', exact: true }).click();
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.keyboard.press('Enter');
}

/** Texts whose contrast with what is behind them is below 4.5, as WCAG 2 (AA) asks for. */
async function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(await readFile(new URL('../support/faint-texts.js', import.meta.url), 'utf8'));
}
