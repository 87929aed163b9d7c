import { expect, it, onTestFinished } from 'vitest';
import { readTopic } from '../support/kafka-reader.ts';
import { connectAdmin } from '../support/outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage, type KafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService } from '../support/service.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import { account, faults } from '../support/workload/accounting.ts';

const CRASHES = 3;

describeWithService('kafka', 'when Postgres crashes under load', ({ url: brokers }) => {
  describeWithLauncher('postgres', 'and comes back', () => {
    it('what was committed arrives, and nothing that the crash took back', async () => {
      // commits that do not wait for the disk are in danger for long
      const server = await startPostgres({ settings: { wal_writer_delay: '2s' } });
      onTestFinished(() => server.dispose());
      const stage = await kafkaStage(await server.createDatabase('shop'), brokers);
      const workload = await stage.write(11, { mix: { async: 8 } });
      const relay = await startRelay(stage.config);
      for (let crash = 0; crash < CRASHES; crash++) {
        // once each while polling, during whatever comes between, and while streaming
        if (crash !== 1) await relay.untilState(crash === 0 ? 'catchup' : 'streaming');
        await workload.progress(60);
        await server.stop('immediate');
        await server.restart();
      }
      await relay.untilState('streaming');
      await workload.progress(100);
      const written = await workload.stop();
      await stage.outbox.untilEmpty();
      expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
      expect(written.committed.length).toBeGreaterThan(CRASHES * 60);
    }, 180_000);

    /** A server that is in no hurry to flush its log, and a relay that gives it seldom reason to. */
    async function unhurried(): Promise<{ server: StartedPostgres; stage: KafkaStage }> {
      const server = await startPostgres({ settings: { wal_writer_delay: '10s', bgwriter_delay: '10s' } });
      onTestFinished(() => server.dispose());
      const stage = await kafkaStage(await server.createDatabase('shop'), brokers, { leader: { lease: '2m' } });
      await stage.outbox.admin.query('CREATE TABLE kept (key text)');
      return { server, stage };
    }

    async function insert({ outbox }: KafkaStage, key: string, synchronous: 'on' | 'off'): Promise<void> {
      const client = await connectAdmin(outbox.url);
      await client.query(`SET synchronous_commit = ${synchronous}`);
      await client.query(
        `WITH sent AS (INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload) VALUES ('order', $1, 'sent', '{}'))
         INSERT INTO kept VALUES ($1)`,
        [key],
      );
      await client.end();
    }

    /** What is in the database, published or not. */
    async function keptKeys({ outbox }: KafkaStage): Promise<string[]> {
      const client = await connectAdmin(outbox.url);
      const { rows } = await client.query<{ key: string }>('SELECT key FROM kept');
      await client.end();
      return rows.map(({ key }) => key);
    }

    async function keys({ topic }: KafkaStage): Promise<string[]> {
      return (await readTopic(brokers, topic)).map(({ key }) => key?.toString() ?? '');
    }

    async function crash(server: StartedPostgres): Promise<void> {
      await server.stop('immediate');
      await server.restart();
    }

    it('deletions that the crash took back lead to duplicates, and to nothing else', async () => {
      const { server, stage } = await unhurried();
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      // now and then somebody has flushed the deletion in time
      for (let attempt = 0, repeated = false; !repeated; attempt++) {
        expect(attempt).toBeLessThan(5);
        await insert(stage, `row-${attempt}`, 'on');
        await stage.outbox.untilEmpty();
        await crash(server);
        await insert(stage, `after-${attempt}`, 'on');
        await until(async () => (await keys(stage)).includes(`after-${attempt}`), { what: 'the row after the crash' });
        await stage.outbox.untilEmpty();
        repeated = (await keys(stage)).filter((key) => key === `row-${attempt}`).length === 2;
        await relay.untilState('streaming');
      }
      expect(await relay.metric('missing_rows_total')).toBe(0);
    }, 120_000);

    it('a streamed row that the crash took back was not published', async () => {
      const { server, stage } = await unhurried();
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      for (let attempt = 0, lost = false; !lost; attempt++) {
        expect(attempt).toBeLessThan(5);
        await insert(stage, `row-${attempt}`, 'off');
        expect(await keptKeys(stage)).toContain(`row-${attempt}`);
        await crash(server);
        lost = !(await keptKeys(stage)).includes(`row-${attempt}`);
        await insert(stage, `after-${attempt}`, 'on');
        await until(async () => (await keys(stage)).includes(`after-${attempt}`), { what: 'the row after the crash' });
        expect((await keys(stage)).includes(`row-${attempt}`)).toBe(!lost);
        await relay.untilState('streaming');
      }
    }, 120_000);
  });
});
