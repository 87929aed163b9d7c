/** What Postgres refuses for a while, without being away. */
import { expect, it, onTestFinished } from 'vitest';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService, freshDatabase } from '../support/service.ts';
import { startPostgres } from '../support/services/postgres.ts';
import { account, faults } from '../support/workload/accounting.ts';

describeWithService('kafka', 'a relay whose database refuses to write', ({ url: brokers }) => {
  const database = freshDatabase();

  it('pauses when deletions find no room on the disk, and goes on when there is some', async () => {
    const stage = await kafkaStage(database.url, brokers, { limits: { undeleted: 100 } });
    const { admin, table, name } = stage.outbox;
    const routine = `"${name.schema}".no_room`;
    await admin.query(`CREATE FUNCTION ${routine}() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END$$`);
    await admin.query(`CREATE TRIGGER full_disk BEFORE DELETE ON ${table} EXECUTE FUNCTION ${routine}()`);
    const relay = await startRelay(stage.config);
    await relay.untilState('streaming');
    const workload = await stage.write(32);
    await relay.untilTold('postgres_disk_full');
    await relay.untilTold('undeleted_limit');
    const published = await relay.metric('published_total');
    await workload.progress(300);
    expect(await relay.metric('published_total')).toBe(published);

    await admin.query(`DROP TRIGGER full_disk ON ${table}`);
    await workload.progress(100);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(written.committed.length).toBeGreaterThan(published);
    expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
    await relay.untilState('streaming');
  }, 120_000);

  describeWithLauncher('postgres', 'on a server of its own', () => {
    it('stands by while the server is read-only, tells so, and publishes what came meanwhile', async () => {
      const server = await startPostgres();
      onTestFinished(() => server.dispose());
      const stage = await kafkaStage(await server.createDatabase('shop'), brokers);
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      await stage.outbox.insert(10);
      await stage.outbox.untilEmpty();
      await server.query('ALTER SYSTEM SET default_transaction_read_only = on');
      await server.query('SELECT pg_reload_conf()');
      await stage.outbox.insert(10, 'SET default_transaction_read_only = off');
      await relay.untilRole('standby');
      await relay.untilTold('postgres_not_primary');
      const published = (await stage.keys()).length;
      await stage.outbox.insert(10, 'SET default_transaction_read_only = off');
      expect(await stage.keys()).toHaveLength(published);

      await server.query('ALTER SYSTEM RESET default_transaction_read_only');
      await server.query('SELECT pg_reload_conf()');
      await relay.untilState('streaming');
      await stage.outbox.untilEmpty();
      const keys = await stage.keys();
      // the ten of the moment before it was noticed may have come twice
      expect(new Set(keys).size).toBe(10);
      expect(keys.length).toBeGreaterThanOrEqual(30);
      expect(keys.length).toBeLessThanOrEqual(40);
    }, 120_000);
  });
});
