/** What a real Prometheus makes of real relays: their metrics, the dashboard's queries, and an alert about a real fault. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RULES, hastened } from '../support/alert-rules.ts';
import { DASHBOARD, filledIn, QUERIES } from '../support/dashboard.ts';
import { relayOutbox, type RelayOutbox } from '../support/relay-outbox.ts';
import { type RelayProcess, startRelay } from '../support/relay-process.ts';
import { describeWithLauncher, freshDatabase, uniqueName } from '../support/service.ts';
import { type StartedKafka, startKafka } from '../support/services/kafka.ts';
import { promtool } from '../support/services/prometheus-distribution.ts';
import { type ActiveAlert, startPrometheus, type StartedPrometheus } from '../support/services/prometheus.ts';
import { until } from '../support/services/until.ts';

const JOB = 'outbox-relay';
/** As Grafana fills them in when everything is chosen. */
const VARIABLES = { namespace: '.*', job: JOB, instance: '.*', destination: '.*', __rate_interval: '5s' };
/** Panels that have nothing to show while all is well. */
const SILENT = [
  'Transaction that a slot waits for',
  'Quantiles by destination (table)',
  'Passes over the table',
  'Repeated messages',
  'Errors by code',
  'Refused rows',
  'Shards',
  'Spans',
];

describeWithLauncher('kafka', 'monitoring', () => {
  describeWithLauncher('prometheus', 'by Prometheus', () => {
    const database = freshDatabase();
    let kafka: StartedKafka;

    beforeAll(async () => {
      kafka = await startKafka();
    });
    afterAll(() => kafka.dispose());

    it('shows what a leader and a standby do, and tells when their broker stops and when it is back', async () => {
      const outbox = await relayOutbox(database.url);
      const topic = uniqueName('topic');
      await kafka.createTopic(topic);
      const config = outbox.config({
        destinations: { kafka: { type: 'kafka', brokers: kafka.brokers, requestTimeout: '2s', retryFor: '2s' } },
        routes: [{ destination: 'kafka', topic }],
      });
      const leader = await startRelay(config);
      await leader.untilState('streaming');
      const standby = await startRelay(config);
      await standby.untilRole('standby');
      const targets = [leader.adminAddress, standby.adminAddress];
      await using prometheus = await startPrometheus({ job: JOB, targets, rules: hastened(RULES) });

      await expectLinted(leader);
      await untilShown(prometheus, outbox);
      // leader and standby look at one table: what they tell of it is shown once
      expect(await prometheus.query('count(outbox_relay_oldest_unpublished_seconds)')).toMatchObject([{ value: 2 }]);
      expect(await shown(prometheus, 'Lag now')).toHaveLength(1);
      expect(await shown(prometheus, 'Leaders')).toEqual([1]);
      await untilNoAlert(prometheus);

      await kafka.kill();
      await outbox.insert(5);
      const pending = await untilAlert(prometheus, 'OutboxRelayBreakerOpen', 'pending');
      expect(pending.labels).toMatchObject({ job: JOB, destination: 'kafka', severity: 'warning' });
      const firing = await untilAlert(prometheus, 'OutboxRelayBreakerOpen', 'firing');
      expect(firing.annotations).toMatchObject({
        description: `${JOB}: the circuit breaker of kafka opens again and again.`,
        runbook_url: 'docs/runbooks/OutboxRelayBreakerOpen.md',
      });
      await kafka.restart();
      await outbox.untilEmpty();
      await untilNoAlert(prometheus);
    }, 300_000);
  });
});

/** Names and units are as the tool of Prometheus wants them. */
async function expectLinted(relay: RelayProcess): Promise<void> {
  const scraped = await (await fetch(`http://${relay.adminAddress}/metrics`)).text();
  const { output } = await promtool(['check', 'metrics'], scraped);
  expect(output.split('\n').filter((line) => line.includes('outbox_relay_'))).toEqual([]);
  expect(await promtool(['check', 'metrics'], 'outbox_relay_milliseconds 1\n')).toMatchObject({ ok: false });
}

/** Waits until every query has been answered, and every panel that should have something to show has shown it. */
async function untilShown(prometheus: StartedPrometheus, outbox: RelayOutbox): Promise<void> {
  const wanted = DASHBOARD.panels.filter(({ type, title }) => type !== 'row' && !SILENT.includes(title));
  const empty = new Set(wanted.map(({ title }) => title));
  const ask = async (): Promise<boolean> => {
    // a rate needs rows between two scrapes
    await outbox.insert(20);
    for (const { panel, expr } of QUERIES) {
      if ((await prometheus.query(filledIn(expr, VARIABLES))).length > 0) empty.delete(panel);
    }
    return empty.size === 0;
  };
  const details = (): string => `nothing in ${[...empty].join(', ')}`;
  await until(ask, { what: 'data in every panel', timeoutMs: 60_000, everyMs: 300, details });
}

/** What a panel shows now. */
async function shown(prometheus: StartedPrometheus, title: string): Promise<readonly number[]> {
  const queries = QUERIES.filter(({ panel }) => panel === title);
  const answers = await Promise.all(queries.map(({ expr }) => prometheus.query(filledIn(expr, VARIABLES))));
  return answers.flat().map(({ value }) => value);
}

function untilAlert(prometheus: StartedPrometheus, name: string, state: ActiveAlert['state']): Promise<ActiveAlert> {
  const find = async (): Promise<ActiveAlert | undefined> =>
    (await prometheus.alerts()).find(({ labels, state: actual }) => labels.alertname === name && actual === state);
  return until(find, { what: `${name} to be ${state}`, timeoutMs: 60_000, details: () => told(prometheus) });
}

async function untilNoAlert(prometheus: StartedPrometheus): Promise<void> {
  const over = async (): Promise<boolean> => (await prometheus.alerts()).length === 0;
  await until(over, { what: 'the end of all alerts', timeoutMs: 90_000, details: () => told(prometheus) });
}

async function told(prometheus: StartedPrometheus): Promise<string> {
  return JSON.stringify(await prometheus.alerts(), null, 1);
}
