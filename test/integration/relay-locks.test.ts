import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import { account, faults } from '../support/workload/accounting.ts';

describeWithService('kafka', 'a relay among timeouts and locks', ({ url: brokers }) => {
  const database = freshDatabase();

  it('is not hindered by timeouts that were set for its role', async () => {
    const stage = await kafkaStage(database.url, brokers);
    for (const timeout of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) {
      await stage.outbox.admin.query(`ALTER ROLE ${stage.outbox.role} SET ${timeout} = '1ms'`);
    }
    const workload = await stage.write(31);
    const relay = await startRelay(stage.config);
    await relay.untilState('streaming');
    await workload.progress(200);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
    expect((await relay.status()).lastErrors.filter(({ code }) => code.startsWith('postgres_'))).toEqual([]);
  }, 120_000);

  it('waits for a lock on the table, in passes and in deletions, and stays the leader', async () => {
    const stage = await kafkaStage(database.url, brokers, { capture: { mode: 'polling' } });
    const { outbox } = stage;
    await stage.outbox.insert(50);
    // permits to read, and nothing else
    await outbox.admin.query(`BEGIN; LOCK TABLE ${outbox.table} IN EXCLUSIVE MODE`);
    const relay = await startRelay(stage.config);
    await until(async () => (await relay.metric('delete_retries_total')) > 0, {
      what: 'a deletion that is locked out',
    });
    expect(await stage.keys()).toHaveLength(50);
    await outbox.admin.query('COMMIT');
    await outbox.untilEmpty();

    await outbox.admin.query(`BEGIN; LOCK TABLE ${outbox.table} IN ACCESS EXCLUSIVE MODE`);
    await relay.untilTold('table_rewritten');
    await outbox.admin.query('COMMIT');
    await stage.outbox.insert(50);
    await outbox.untilEmpty();
    expect(await stage.keys()).toHaveLength(100);
    const { rows } = await outbox.admin.query<{ epoch: number }>(
      `SELECT epoch::int FROM ${quoteTable(companionTables(outbox.name).lease)}`,
    );
    expect(rows).toEqual([{ epoch: 1 }]);
    expect(await relay.metric('missing_rows_total')).toBe(0);
  }, 120_000);
});
