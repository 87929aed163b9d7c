import { expect, it, onTestFinished } from 'vitest';
import type { StatusReport } from '../../src/core/status.ts';
import { companionTables, quoteIdentifier, quoteTable } from '../../src/postgres/identifier.ts';
import { applyInit } from '../../src/postgres/init.ts';
import { shardPublication } from '../../src/postgres/publication.ts';
import { untilAccounted, untilPolling } from '../support/log-lane.ts';
import { DEFAULT_COLUMNS } from '../support/outbox.ts';
import { type RelayProcess, startRelay } from '../support/relay-process.ts';
import { type KafkaStage, kafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService, freshDatabase } from '../support/service.ts';
import { startPostgres } from '../support/services/postgres.ts';

const BY = 'aggregateid';

/** An outbox with the publications of so many shards, and a configuration for relays that share them. */
async function shardedStage(databaseUrl: string, brokers: string, shards: number): Promise<KafkaStage> {
  const stage = await kafkaStage(databaseUrl, brokers, { leader: { lease: '3s' } });
  await initShards(stage, shards);
  return { ...stage, config: { ...stage.config, shards } };
}

async function initShards({ outbox: { admin, name, publication, role } }: KafkaStage, shards: number): Promise<void> {
  const mapping = { ...name, columns: DEFAULT_COLUMNS, extra: [] };
  const sharding = { shards, by: BY };
  const options = { mapping, payload: 'jsonb', relayRole: role, writerRole: null, publication, sharding } as const;
  await applyInit(admin, options, true);
}

const led = ({ shards }: StatusReport): StatusReport['shards'] => shards.filter(({ leads }) => leads);

/** Waits until the instance leads so many shards, all of them by the log, and returns which. */
async function untilLeading(relay: RelayProcess, shards: number): Promise<readonly number[]> {
  const status = await relay.waitFor(`the lead of ${shards} shards`, (report) => {
    const own = led(report);
    return own.length === shards && own.every(({ states }) => states.kafka === 'streaming');
  });
  return led(status).map(({ shard }) => shard);
}

describeWithService('kafka', 'shards', ({ url: brokers }) => {
  const database = freshDatabase();

  it('are shared by instances that come and go: all is published, in order', async () => {
    const stage = await shardedStage(database.url, brokers, 4);
    const workload = await stage.write(31, { writers: 6 });
    const [first, second] = await Promise.all([startRelay(stage.config), startRelay(stage.config)]);
    const [ofFirst, ofSecond] = await Promise.all([untilLeading(first, 2), untilLeading(second, 2)]);
    expect([...ofFirst, ...ofSecond].sort()).toEqual([0, 1, 2, 3]);
    await workload.progress(100);
    const { shards } = await first.status();
    expect(shards.map(({ holder }) => holder?.split(' ').at(-1))).toEqual(
      [0, 1, 2, 3].map((shard) => String(ofFirst.includes(shard) ? first.pid : second.pid)),
    );
    expect(await first.metric('shard_leader')).toBe(2);

    await first.end('SIGKILL');
    expect(await untilLeading(second, 4)).toEqual([0, 1, 2, 3]);
    await workload.progress(100);

    const third = await startRelay(stage.config);
    await Promise.all([untilLeading(second, 2), untilLeading(third, 2)]);
    await workload.progress(100);
    expect(await third.metric('published_total')).toBeGreaterThan(0);
    expect((await third.status()).lastErrors).toEqual([]);
    await second.end('SIGTERM');
    await untilLeading(third, 4);
    await untilAccounted(stage, workload, 'permitted');
  }, 180_000);

  it('are of one number: an instance with another one stands by until the others have ended', async () => {
    const stage = await shardedStage(database.url, brokers, 2);
    const workload = await stage.write(32);
    const two = await startRelay(stage.config);
    await untilLeading(two, 2);
    await initShards(stage, 3);
    const three = await startRelay({ ...stage.config, shards: 3 });
    const { role } = await three.untilTold('shards_differ');
    expect(role).toBe('standby');
    await workload.progress(50);
    expect(led(await three.status())).toEqual([]);
    expect(await three.metric('published_total')).toBe(0);

    await two.end('SIGTERM');
    await untilLeading(three, 3);
    await workload.progress(50);
    const one = await startRelay({ ...stage.config, shards: 1 });
    await one.untilTold('shards_differ');
    await three.end('SIGKILL');
    await one.untilState('streaming');
    await untilAccounted(stage, workload, 'permitted');
    const { rows } = await stage.outbox.admin.query(
      `SELECT DISTINCT shards, shard_by FROM ${quoteTable(companionTables(stage.outbox.name).lease)}`,
    );
    expect(rows).toEqual([{ shards: 1, shard_by: null }]);
  }, 180_000);

  it('poll while a publication has another filter than theirs, and lose nothing by it', async (test) => {
    const stage = await shardedStage(database.url, brokers, 2);
    const { admin, publication, table } = stage.outbox;
    const { rows } = await admin.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    if (rows[0]!.version < 150_000) test.skip('Postgres 14 has no row filters');
    const workload = await stage.write(33);
    const relay = await startRelay(stage.config);
    await untilLeading(relay, 2);
    const name = quoteIdentifier(shardPublication(publication, 1, 2));
    await admin.query(`ALTER PUBLICATION ${name} SET TABLE ${table} WHERE (aggregateid IS NULL)`);
    await untilPolling(relay, workload, 'replication_publication', /has not the row filter of shard 1/);
    // the other shard goes on by the log
    expect(led(await relay.status()).some(({ shard, states }) => shard === 0 && states.kafka === 'streaming')).toBe(
      true,
    );
    await initShards(stage, 2);
    await untilLeading(relay, 2);
    await workload.progress(30);
    await untilAccounted(stage, workload, 'permitted');
  }, 180_000);

  describeWithLauncher('postgres', 'on Postgres 14', () => {
    it('are told apart by the relay, which leaves the rows of others to them', async () => {
      const server = await startPostgres({ version: '14' });
      onTestFinished(() => server.dispose());
      const stage = await shardedStage(await server.createDatabase('shop'), brokers, 2);
      const workload = await stage.write(34);
      const [first, second] = await Promise.all([startRelay(stage.config), startRelay(stage.config)]);
      await Promise.all([untilLeading(first, 1), untilLeading(second, 1)]);
      const [before, beforeToo] = await Promise.all([first, second].map((relay) => relay.metric('stream_rows_total')));
      await workload.progress(200);
      await untilAccounted(stage, workload, 'none');
      const streamed = await Promise.all([first, second].map((relay) => relay.metric('stream_rows_total')));
      expect(streamed[0]).toBeGreaterThan(before!);
      expect(streamed[1]).toBeGreaterThan(beforeToo!);
      // each row by one of them
      const published = await Promise.all([first, second].map((relay) => relay.metric('deleted_total')));
      expect(published[0]! + published[1]!).toBe((await stage.arrived()).length);
    }, 180_000);
  });
});
