/** The lag as it is told in each state: by the monitor alone where that is enough, else by whole relays. */
import type pg from 'pg';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { LagMonitor } from '../../src/app/lag-monitor.ts';
import type { Log } from '../../src/core/log.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Telemetry } from '../../src/observe/telemetry.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithLauncher, describeWithService, freshDatabase } from '../support/service.ts';
import { startPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import * as harness from '../support/table-harness.ts';

const ignore = (): void => undefined;
const NO_LOG: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => NO_LOG };
/** Rows of key `a` go to destination `a`, all others to `b`. */
const FILTERS = { filterSql: (name: string) => (name === 'a' ? `o.aggregateid = 'a'` : null) };

/** A monitor that looks again and again, and what it tells. */
class Watched {
  readonly #metrics = new Metrics({ version: 'v', node: 'n' }, { process: false });
  readonly #telemetry = new Telemetry(this.#metrics, NO_LOG);

  constructor(databaseUrl: string, table: OutboxTable = harness.outbox()) {
    const outbox = { table, shard: 0, destinations: ['a', 'b'], filters: FILTERS, lookEveryMs: 20 };
    const monitor = new LagMonitor(harness.postgresOptions(databaseUrl), outbox, this.#telemetry, () => null);
    monitor.start();
    onTestFinished(() => monitor.stop());
  }

  /** What a metric is now; undefined when it is not told. @param series with its labels, without the prefix */
  async told(series: string): Promise<number | undefined> {
    const { body } = await this.#metrics.expose(undefined);
    const line = body.split('\n').find((each) => each.startsWith(`outbox_relay_${series} `));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
  }

  /** The age of the oldest row, by a look that begins later than now. */
  async nextAge(): Promise<number | undefined> {
    for (let looks = 0; looks < 2; looks++) {
      const last = this.#telemetry.journal.lag;
      await until(() => this.#telemetry.journal.lag !== last, { what: 'another look' });
    }
    return this.told('oldest_unpublished_seconds');
  }

  /** Waits until a metric is as wanted, and returns it. */
  untilTold(series: string, wanted: (value: number | undefined) => boolean): Promise<number | undefined> {
    let value: number | undefined;
    const ask = async (): Promise<boolean> => wanted((value = await this.told(series)));
    return until(ask, { what: series, details: () => `it is ${value}` }).then(() => value);
  }
}

describeWithService('postgres', 'the lag', () => {
  const database = freshDatabase();
  let sql: pg.Client;

  beforeEach(async () => {
    sql = await harness.connect(database.url);
    onTestFinished(() => sql.end());
    await sql.query(harness.RECREATE);
  });

  it('is 0 while nothing waits', async () => {
    const watched = new Watched(database.url);
    expect(await watched.nextAge()).toBe(0);
    expect(await watched.told('waiting_rows')).toBe(0);
    expect(await watched.told('destination_oldest_unpublished_seconds{destination="a"}')).toBe(0);
    expect(await watched.told('lag_sample_age_seconds')).toBeLessThan(5);
  });

  it('grows while rows wait, of the destination that they wait for', async () => {
    const watched = new Watched(database.url);
    await sql.query(harness.insertKeys('x', 'y'));
    await watched.untilTold('destination_waiting_rows{destination="b"}', (rows) => rows === 2);
    const [first, second] = [await watched.nextAge(), await watched.nextAge()];
    expect(second).toBeGreaterThan(first ?? Infinity);
    expect(await watched.told('destination_oldest_unpublished_seconds{destination="a"}')).toBe(0);
    await sql.query('DELETE FROM outbox');
    expect(await watched.nextAge()).toBe(0);
  });

  it('does not count what a long transaction has not committed, and then tells how old they are', async () => {
    const watched = new Watched(database.url);
    const writer = await harness.connect(database.url);
    onTestFinished(() => writer.end());
    await writer.query('BEGIN');
    await writer.query(harness.insertKeys('a'));
    await writer.query(`UPDATE outbox SET created_at = created_at - interval '10 minutes'`);
    expect(await watched.nextAge()).toBe(0);
    await writer.query('COMMIT');
    expect(await watched.nextAge()).toBeGreaterThanOrEqual(600);
  });

  it.each([
    { clock: 'an hour ahead', skew: '1 hour', least: 0, most: 1_800 },
    { clock: 'an hour behind', skew: '-1 hour', least: 3_600, most: 5_400 },
  ])('of a producer whose clock is $clock grows all the same', async ({ skew, least, most }) => {
    await sql.query(harness.insertKeys('a'));
    await sql.query(`UPDATE outbox SET created_at = clock_timestamp() + interval '${skew}'`);
    const watched = new Watched(database.url);
    const first = await watched.untilTold('oldest_unpublished_seconds', (age) => age !== undefined && age > least);
    expect(first).toBeLessThan(most);
    expect(await watched.nextAge()).toBeGreaterThan(first ?? Infinity);
  });

  it('of a table without a time is how long a row has been seen to wait', async () => {
    await sql.query(harness.insertKeys('a'));
    const watched = new Watched(database.url, harness.outbox({ createdAt: null }));
    const first = await watched.untilTold('oldest_unpublished_seconds', (age) => age !== undefined && age > 0);
    expect(await watched.nextAge()).toBeGreaterThan(first ?? Infinity);
  });

  it('is by the clock of the database, whatever the clock of the relay says', async () => {
    await sql.query(harness.insertKeys('a'));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7_200_000 });
    onTestFinished(() => void vi.useRealTimers());
    const watched = new Watched(database.url);
    expect(await watched.untilTold('waiting_rows', (rows) => rows === 1)).toBe(1);
    expect(await watched.told('oldest_unpublished_seconds')).toBeLessThan(1_800);
    expect(await watched.told('clock_offset_seconds')).toBeLessThan(-5_400);
  });
});

describeWithLauncher('postgres', 'while Postgres is away', () => {
  it('the lag is not told at all, only for how long it is not known, and then as if nothing had been', async () => {
    await using server = await startPostgres();
    await server.query(harness.RECREATE);
    await server.query(harness.insertKeys('a'));
    const watched = new Watched(server.url);
    await watched.untilTold('waiting_rows', (rows) => rows === 1);
    const before = (await watched.nextAge()) ?? Infinity;
    await server.stop('immediate');
    await watched.untilTold('oldest_unpublished_seconds', (age) => age === undefined);
    expect(await watched.told('destination_waiting_rows{destination="a"}')).toBeUndefined();
    const unknownFor = (await watched.told('lag_sample_age_seconds')) ?? Infinity;
    await watched.untilTold('lag_sample_age_seconds', (age) => age !== undefined && age > unknownFor);
    await server.restart();
    const after = await watched.untilTold('oldest_unpublished_seconds', (age) => age !== undefined);
    expect(after).toBeGreaterThan(before);
  });
});

describeWithService('postgres', 'the lag of relays', () => {
  const database = freshDatabase();
  /** A broker that is not there. */
  const AWAY = { kafka: { type: 'kafka', brokers: '127.0.0.1:1' } };

  it('is told by leader and standby alike, and goes on when the leader is gone; all else by the leader alone', async () => {
    const outbox = await relayOutbox(database.url);
    await outbox.insert(3);
    const config = outbox.config({ destinations: AWAY });
    const leader = await startRelay(config);
    await leader.untilRole('leader');
    const standby = await startRelay(config);
    await standby.untilRole('standby');
    for (const relay of [leader, standby]) {
      await relay.waitFor('a look at the lag', ({ lag }) => lag?.waitingRows === 3);
      expect(await relay.metric('destination_waiting_rows', { destination: 'kafka' })).toBe(3);
    }
    expect([await leader.metric('leader'), await standby.metric('leader')]).toEqual([1, 0]);
    expect([await leader.metric('destination_state'), await standby.metric('destination_state')]).toEqual([1, 0]);
    const before = await standby.metric('oldest_unpublished_seconds');
    expect(before).toBeGreaterThan(0);

    await leader.end('SIGKILL');
    await standby.untilRole('leader');
    const { lag } = await standby.waitFor(
      'another look',
      (status) => (status.lag?.oldestUnpublishedSeconds ?? 0) > before,
    );
    expect(lag).toMatchObject({ waitingRows: 3, waitingRowsEstimated: false });
  }, 180_000);

  it('is 0 again once rows have been polled', async () => {
    const outbox = await relayOutbox(database.url);
    await outbox.insert(3);
    const config = outbox.config({ destinations: { out: { type: 'console' } }, capture: { mode: 'polling' } });
    const relay = await startRelay(config);
    await outbox.untilEmpty();
    const emptied = new Date().toISOString();
    const { lag } = await relay.waitFor(
      'a look at the empty table',
      (status) => (status.lag?.sampledAt ?? '') > emptied,
    );
    expect(lag).toMatchObject({ oldestUnpublishedSeconds: 0, waitingRows: 0 });
    expect(await relay.metric('stream_open')).toBe(0);
    expect(await relay.metric('published_total', { lane: 'table' })).toBe(3);
  }, 180_000);
});
