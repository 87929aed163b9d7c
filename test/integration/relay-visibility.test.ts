/**
 * The two moments of a commit: its record in the log, and its becoming visible. Commits that wait for a synchronous
 * standby, and a walsender that is stopped, hold open the gaps that otherwise last for microseconds.
 */
import { expect, it, onTestFinished } from 'vitest';
import { readTopic } from '../support/kafka-reader.ts';
import { connectAdmin } from '../support/outbox.ts';
import type { RelaySettings } from '../support/relay-outbox.ts';
import { startRelay, type RelayProcess } from '../support/relay-process.ts';
import { kafkaStage, type KafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService } from '../support/service.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';

/** A transaction that has an id and does nothing else. */
interface OpenTransaction {
  /** Resolves when somebody waits for its end. */
  awaited(): Promise<void>;
  end(): Promise<void>;
}

describeWithService('kafka', 'between the record of a commit and its visibility', ({ url: brokers }) => {
  describeWithLauncher('postgres', 'the relay', () => {
    /** A server on which commits wait for a standby that never comes, if their session asks for that. */
    async function prepare(
      config: Partial<RelaySettings> = {},
    ): Promise<{ server: StartedPostgres; stage: KafkaStage }> {
      const settings = { synchronous_standby_names: 'nobody', synchronous_commit: 'local' };
      const server = await startPostgres({ settings });
      onTestFinished(() => server.dispose());
      return { server, stage: await kafkaStage(await server.createDatabase('shop'), brokers, config) };
    }

    async function begin({ outbox }: KafkaStage): Promise<OpenTransaction> {
      const client = await connectAdmin(outbox.url);
      await client.query('BEGIN');
      const { rows } = await client.query<{ xid: string }>('SELECT pg_current_xact_id()::xid::text AS xid');
      const waiting = `SELECT FROM pg_locks WHERE locktype = 'transactionid' AND transactionid = $1::xid AND NOT granted`;
      return {
        awaited: () =>
          until(async () => (await outbox.admin.query(waiting, [rows[0]!.xid])).rowCount === 1, {
            what: `somebody who waits for transaction ${rows[0]!.xid}`,
          }).then(() => undefined),
        end: async () => {
          await client.query('ROLLBACK');
          await client.end();
        },
      };
    }

    async function insert({ outbox }: KafkaStage, key: string, settings = '', payload = '{}'): Promise<void> {
      const client = await connectAdmin(outbox.url);
      await client.query(settings);
      await client.query(
        `INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload) VALUES ('order', $1, 'sent', $2)`,
        [key, payload],
      );
      await client.end();
    }

    /**
     * Inserts a row whose commit is in the log, and not visible until {@link releaseCommits}.
     *
     * @returns what resolves when the commit has been answered
     */
    async function insertUnseen(
      server: StartedPostgres,
      stage: KafkaStage,
      row: { key?: string; payload?: string } = {},
    ): Promise<{ committed: Promise<void> }> {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
      const before = (await server.query(waiting)).length;
      const committed = insert(stage, row.key ?? 'unseen', 'SET synchronous_commit = on', row.payload);
      await until(async () => (await server.query(waiting)).length > before, { what: 'a commit that waits' });
      return { committed };
    }

    async function releaseCommits(server: StartedPostgres): Promise<void> {
      await server.query(`ALTER SYSTEM SET synchronous_standby_names = ''`);
      await server.query('SELECT pg_reload_conf()');
    }

    /**
     * Starts a relay and leads it through the creation of its slot: Postgres waits for what runs when it begins
     * (`first`), then for what runs after that (`second`), and not for what `meanwhile` begins.
     */
    async function startThroughSlotCreation(stage: KafkaStage, meanwhile: () => Promise<void>): Promise<RelayProcess> {
      const first = await begin(stage);
      const relay = await startRelay(stage.config);
      await first.awaited();
      const second = await begin(stage);
      await first.end();
      await second.awaited();
      await meanwhile();
      await second.end();
      await relay.untilState('handover');
      await untilPasses(relay, 3);
      return relay;
    }

    async function keys({ topic }: KafkaStage): Promise<string[]> {
      return (await readTopic(brokers, topic)).map(({ key }) => key?.toString() ?? '').sort();
    }

    it('does not hand over before it has seen what the new slot leaves out', async () => {
      const { server, stage } = await prepare();
      let unseen = { committed: Promise.resolve() };
      const relay = await startThroughSlotCreation(stage, async () => {
        // recorded before the slot is consistent, hence not streamed; and no snapshot of the table shows it
        unseen = await insertUnseen(server, stage);
      });
      expect((await relay.status()).destinations[0]?.state).toBe('handover');
      expect(await keys(stage)).toEqual([]);

      await releaseCommits(server);
      await unseen.committed;
      await stage.outbox.untilEmpty();
      expect(await keys(stage)).toEqual(['unseen']);
      await relay.untilState('streaming');
    }, 120_000);

    it('skips exactly what its last snapshot sees, and deletes a row only when it is visible', async () => {
      const { server, stage } = await prepare();
      let running: OpenTransaction | undefined;
      const relay = await startThroughSlotCreation(stage, async () => {
        running = await begin(stage);
      });
      const [walsender] = await server.query<{ pid: number }>(
        'SELECT active_pid AS pid FROM pg_replication_slots WHERE active_pid IS NOT NULL',
      );
      process.kill(walsender!.pid, 'SIGSTOP');
      await insert(stage, 'seen');
      const unseen = await insertUnseen(server, stage);
      await running?.end();
      await relay.untilState('streaming');
      process.kill(walsender!.pid, 'SIGCONT');

      // both are recorded below the position at which the snapshot was taken: only it tells them apart
      await until(async () => (await keys(stage)).length === 2, { what: 'both rows' });
      await until(async () => (await relay.metric('delete_not_visible_total')) > 0, {
        what: 'a deletion that is early',
      });
      await releaseCommits(server);
      await unseen.committed;
      await insert(stage, 'later');
      await stage.outbox.untilEmpty();
      expect(await keys(stage)).toEqual(['later', 'seen', 'unseen']);
      expect(await relay.metric('missing_rows_total')).toBe(0);
      expect((await relay.status()).destinations[0]?.state).toBe('streaming');
    }, 120_000);

    it('publishes nothing before it is visible, where that is asked for, and keeps the order', async () => {
      const { server, stage } = await prepare({ capture: { publishWhen: 'visible' } });
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      await insert(stage, 'before');
      const unseen = await insertUnseen(server, stage);
      // visible at once, and yet behind the other in the log
      await insert(stage, 'behind');
      await until(async () => (await relay.metric('stream_rows_total')) >= 1, { what: 'the row before' });
      await relay.waitFor('commits_waiting', ({ lastErrors }) =>
        lastErrors.some(({ code }) => code === 'commits_waiting'),
      );
      expect(await keys(stage)).toEqual(['before']);

      await releaseCommits(server);
      await unseen.committed;
      await stage.outbox.untilEmpty();
      expect((await readTopic(brokers, stage.topic)).length).toBe(3);
      expect(await keys(stage)).toEqual(['before', 'behind', 'unseen']);
      expect((await relay.status()).destinations[0]?.state).toBe('streaming');
      expect(await relay.metric('delete_not_visible_total')).toBe(0);
    }, 120_000);

    it('reads the table when more waits to be visible than memory may hold', async () => {
      const limits = { memory: '1MiB' };
      const { server, stage } = await prepare({ capture: { publishWhen: 'visible' }, limits });
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      const payload = JSON.stringify('x'.repeat(100_000));
      const unseen = [];
      for (const key of ['a', 'b', 'c', 'd']) unseen.push(await insertUnseen(server, stage, { key, payload }));
      await relay.untilState('catchup');
      await insert(stage, 'seen');
      await stage.outbox.untilEmpty();
      expect(await keys(stage)).toEqual(['seen']);

      await releaseCommits(server);
      await Promise.all(unseen.map(({ committed }) => committed));
      await stage.outbox.untilEmpty();
      expect(await keys(stage)).toEqual(['a', 'b', 'c', 'd', 'seen']);
      await relay.untilState('streaming');
    }, 120_000);
  });
});

/** Waits until so many more passes over the table have ended. */
async function untilPasses(relay: RelayProcess, count: number): Promise<void> {
  const before = await relay.metric('pass_seconds_count');
  await until(async () => (await relay.metric('pass_seconds_count')) >= before + count, { what: `${count} passes` });
}
