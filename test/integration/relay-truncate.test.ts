/** What lies in the table that is not to be published, or no longer. */
import { expect, it, onTestFinished } from 'vitest';
import { connectAdmin } from '../support/outbox.ts';
import { startRelay, type RelayProcess } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';

describeWithService('kafka', 'a relay and what is dead or gone', ({ url: brokers }) => {
  const database = freshDatabase();

  async function settledAll(relay: RelayProcess): Promise<void> {
    await relay.waitFor('nothing in flight', ({ destinations }) =>
      destinations.every(({ undeletedRows, inFlightMessages }) => undeletedRows === 0 && inFlightMessages === 0),
    );
  }

  it('is as quick as ever behind a hundred thousand rows that vacuum may not remove', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { outbox } = stage;
    const holder = await connectAdmin(outbox.url);
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
    onTestFinished(() => holder.end());
    await stage.outbox.insert(100_000);
    await outbox.admin.query(`DELETE FROM ${outbox.table}`);
    const relay = await startRelay(stage.config);
    await relay.untilState('streaming');
    await stage.outbox.insert(100);
    await outbox.untilEmpty();
    const { lag } = await relay.waitFor('a look at the lag', (status) => status.lag !== null);
    expect(lag).toMatchObject({ waitingRowsEstimated: false });
    expect(await stage.keys()).toHaveLength(100);
    expect((await relay.status()).lastErrors).toEqual([]);
    expect((await holder.query('SELECT 1')).rowCount).toBe(1);
  }, 120_000);

  it('counts what TRUNCATE has taken after it was read or streamed, and forgets it', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { outbox } = stage;
    await stage.outbox.insert(20);
    // published by a pass; the deletion waits for the lock, and TRUNCATE comes first
    await outbox.admin.query(`BEGIN; LOCK TABLE ${outbox.table} IN EXCLUSIVE MODE`);
    const relay = await startRelay(stage.config);
    await until(async () => (await relay.metric('delete_retries_total')) > 0, {
      what: 'a deletion that is locked out',
    });
    await outbox.admin.query(`TRUNCATE ${outbox.table}; COMMIT`);
    await settledAll(relay);
    expect(await relay.metric('missing_rows_total')).toBe(20);
    expect(await stage.keys()).toHaveLength(20);

    // in the log, and never in the table
    await relay.untilState('streaming');
    await outbox.admin.query(
      `BEGIN;
       INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload) VALUES ('order', 'truncated', 'sent', '{}');
       TRUNCATE ${outbox.table};
       COMMIT`,
    );
    await until(async () => (await relay.metric('missing_rows_total')) === 21, { what: 'the row that was truncated' });
    await settledAll(relay);
    await stage.outbox.insert(1);
    await outbox.untilEmpty();
    expect(await stage.keys()).toHaveLength(22);
    await relay.untilState('streaming');
    expect((await relay.status()).lastErrors.map(({ code }) => code)).toContain('rows_missing');
  }, 120_000);
});
