import type pg from 'pg';
import { expect, it } from 'vitest';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { headerOf, readTopic } from '../support/kafka-reader.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage, type KafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { account, faults } from '../support/workload/accounting.ts';

describeWithService('kafka', 'statements on the table in mid-stream', ({ url: brokers }) => {
  const database = freshDatabase();

  /** Inserts one row a key, and returns their ids. */
  function insert({ admin, table }: KafkaStage['outbox'], ...keys: string[]): Promise<pg.QueryResult<{ id: string }>> {
    return admin.query(
      `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload) SELECT 'order', unnest($1::text[]), 'sent', '{}'
       RETURNING id`,
      [keys],
    );
  }

  async function keysIn(topic: string): Promise<string[]> {
    const records = await readTopic(brokers, topic);
    return records.map(({ key }) => key?.toString() ?? '').sort();
  }

  it('TRUNCATE RESTART IDENTITY: rows at positions that were used before arrive like all others', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { outbox, topic, config } = stage;
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    await insert(outbox, 'a1', 'a2', 'a3');
    await outbox.untilEmpty();
    await outbox.admin.query('BEGIN');
    await insert(outbox, 'never committed for good');
    await outbox.admin.query(`TRUNCATE ${outbox.table} RESTART IDENTITY`);
    await insert(outbox, 'b1', 'b2');
    await outbox.admin.query('COMMIT');
    await insert(outbox, 'b3', 'b4');
    await outbox.untilEmpty();
    const { rows } = await outbox.admin.query<{ next: number }>(
      `SELECT nextval(pg_get_serial_sequence('${outbox.table}', 'position'))::int AS next`,
    );
    expect(rows).toEqual([{ next: 5 }]);
    expect((await keysIn(topic)).filter((key) => !key.startsWith('never'))).toEqual([
      'a1',
      'a2',
      'a3',
      'b1',
      'b2',
      'b3',
      'b4',
    ]);
  }, 90_000);

  it('ALTER TABLE that rewrites it, under writers', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { outbox } = stage;
    const workload = await stage.write(12);
    const relay = await startRelay(stage.config);
    for (const statement of [
      'ADD COLUMN trace uuid DEFAULT gen_random_uuid()',
      'ALTER COLUMN type TYPE varchar(40) USING left(type, 40)',
      'DROP COLUMN trace',
    ]) {
      await workload.progress(50);
      await outbox.admin.query(`ALTER TABLE ${outbox.table} ${statement}`);
    }
    await relay.untilState('streaming');
    await workload.progress(50);
    await outbox.admin.query(`ALTER TABLE ${outbox.table} ADD COLUMN later uuid DEFAULT gen_random_uuid()`);
    await workload.progress(50);
    const written = await workload.stop();
    await outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
  }, 120_000);

  it('ALTER PUBLICATION that hides an insert: the audit finds the row and publishes it', async () => {
    const stage = await kafkaStage(database.url, brokers, { capture: { auditInterval: '1s' } });
    const { outbox, topic, config } = stage;
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    const publication = quoteIdentifier(outbox.publication);
    await outbox.admin.query('BEGIN');
    await outbox.admin.query(`ALTER PUBLICATION ${publication} DROP TABLE ${outbox.table}`);
    await outbox.admin.query('COMMIT; BEGIN');
    await insert(outbox, 'hidden');
    await outbox.admin.query('COMMIT; BEGIN');
    await outbox.admin.query(`ALTER PUBLICATION ${publication} ADD TABLE ${outbox.table}`);
    await outbox.admin.query('COMMIT');
    await outbox.untilEmpty();
    expect(await keysIn(topic)).toEqual(['hidden']);
    expect(await relay.metric('stragglers_total')).toBe(1);
    await relay.untilState('streaming');
    expect((await relay.status()).lastErrors.map(({ code }) => code)).toContain('straggler_found');
  }, 90_000);

  it('ALTER PUBLICATION that hides an insert: what is newer in its key is not published before it', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { outbox, topic, config } = stage;
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    const publication = quoteIdentifier(outbox.publication);
    const written = [await insert(outbox, 'key')];
    await outbox.untilEmpty();
    await outbox.admin.query(`ALTER PUBLICATION ${publication} DROP TABLE ${outbox.table}`);
    written.push(await insert(outbox, 'key'));
    await outbox.admin.query(`ALTER PUBLICATION ${publication} ADD TABLE ${outbox.table}`);
    written.push(await insert(outbox, 'key'));
    await outbox.untilEmpty();
    const arrived = (await readTopic(brokers, topic)).map((record) => headerOf(record, 'id'));
    expect(arrived).toEqual(written.map(({ rows }) => rows[0]?.id));
    expect(await relay.metric('stragglers_total')).toBe(0);
    await relay.untilState('streaming');
  }, 90_000);

  it('VACUUM FULL and ANALYZE, which make the log describe the table again: streaming goes on', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { outbox, topic, config } = stage;
    const relay = await startRelay(config);
    const { since } = (await relay.untilState('streaming')).destinations[0]!;
    for (const statement of ['ANALYZE', 'VACUUM FULL', 'VACUUM ANALYZE']) {
      await outbox.admin.query(`${statement} ${outbox.table}`);
      await insert(outbox, statement);
      await outbox.untilEmpty();
    }
    expect(await keysIn(topic)).toEqual(['ANALYZE', 'VACUUM ANALYZE', 'VACUUM FULL']);
    expect((await relay.untilState('streaming')).destinations[0]!.since).toBe(since);
  }, 90_000);
});
