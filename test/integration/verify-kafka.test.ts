/** `outbox-relay verify` against Kafka: what a relay has published is found sound; each kind of tampering is found. */
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { outboxRelay } from '../support/cli.ts';
import { freshTopic } from '../support/kafka-topic.ts';
import { startRelay } from '../support/relay-process.ts';
import { type KafkaStage, kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import { configFile, verify } from '../support/verify-report.ts';

const SOUND = { missing: 0, outOfOrder: 0, duplicated: 0, unexpected: 0 };
const ROWS = 300;

describeWithService('kafka', 'verify', ({ url: brokers }) => {
  const database = freshDatabase();
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });

  const write = async ({ outbox }: KafkaStage, rows = ROWS): Promise<void> => {
    await outbox.admin.query(`INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload)
      SELECT 'order', 'key-' || n % 7, 'created', '{}' FROM generate_series(1, ${rows}) n`);
  };

  /** A topic to which a relay that keeps published ids has published all rows. */
  const published = async (published: Readonly<Record<string, string>> = { retain: '1h' }): Promise<KafkaStage> => {
    const stage = await kafkaStage(database.url, brokers, { published });
    const relay = await startRelay(stage.config);
    await write(stage);
    await stage.outbox.untilEmpty();
    await write(stage);
    await stage.outbox.untilEmpty();
    await relay.end('SIGTERM');
    return stage;
  };

  const record = async ({ outbox, topic }: KafkaStage, position: number, id: string, key: string): Promise<void> => {
    const name = quoteTable(companionTables(outbox.name).published);
    await outbox.admin.query(
      `INSERT INTO ${name} (position, id, destination, address, key, dead_letter) VALUES ($1, $2, 'kafka', $3, $4, false)`,
      [position, id, topic, key],
    );
  };

  const produce = async (topic: string, key: string, ids: readonly string[]): Promise<void> => {
    const producer = client.producer();
    await producer.connect();
    await producer.send({ topic, messages: ids.map((id) => ({ key, value: '{}', headers: { id } })) });
    await producer.disconnect();
  };

  it('finds nothing wrong with what a relay has published, and leaves nothing behind', async () => {
    const stage = await published();
    const { code, report, destination, found } = await verify(stage.config, '--margin', '0s', '--strict');
    expect([code, found, report.ok, report.waitingRows]).toEqual([0, SOUND, true, 0]);
    expect(destination).toMatchObject({ read: [stage.topic], messages: 2 * ROWS, ids: 2 * ROWS, recorded: 2 * ROWS });
    const admin = client.admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    await admin.disconnect();
    expect(groups.map(({ groupId }) => groupId)).not.toContain('outbox-relay-verify');

    const { stdout } = await outboxRelay('verify', '--config', await configFile(stage.config));
    expect(stdout).toMatch(/^kafka: topic/);
    expect(stdout).toContain(`published     ${2 * ROWS} ids, by the record`);
    expect(stdout).toContain('nothing wrong was found; 0 rows wait in the outbox');

    // a row that is still in the outbox may have been published and not yet been deleted
    const { outbox } = stage;
    const { rows } = await outbox.admin.query<{ id: string }>(
      `INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type) VALUES ('order', 'key-1', 'x') RETURNING id`,
    );
    await produce(stage.topic, 'key-1', [rows[0]!.id]);
    const waiting = await verify(stage.config, '--margin', '0s');
    expect([waiting.found, waiting.report.waitingRows]).toEqual([SOUND, 1]);
    await produce(stage.topic, 'key-1', [rows[0]!.id]);
    expect((await verify(stage.config)).code).toBe(0);
    expect((await verify(stage.config, '--strict')).code).toBe(1);
  });

  it('counts dead letters as published, where they went', async () => {
    const stage = await kafkaStage(database.url, brokers, { published: { retain: '1h' } });
    const letters = await freshTopic(brokers);
    const routes = [
      { destination: 'kafka', topic: stage.topic, onError: 'dead-letter', deadLetter: { topic: letters } },
    ];
    const relay = await startRelay({ ...stage.config, routes });
    const { outbox } = stage;
    await outbox.admin.query(`INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, headers)
      VALUES ('order', 'a', 'x', '{}'), ('order', 'a', 'x', '[]'), ('order', 'a', 'x', '{}')`);
    await outbox.untilEmpty();
    await relay.end('SIGTERM');
    const { code, destination, found } = await verify({ ...stage.config, routes }, '--margin', '0s', '--strict');
    expect([code, found, destination.recorded]).toEqual([0, SOUND, 3]);
    expect(destination.read).toEqual([stage.topic, letters].sort());
    // one of the two is not looked at: nothing is missed there
    expect((await verify({ ...stage.config, routes }, '--topic', stage.topic)).destination).toMatchObject({
      recorded: 2,
      messages: 2,
      missing: { count: 0 },
    });
  });

  it('finds nothing left of the record when it is old', async () => {
    const stage = await published();
    const name = quoteTable(companionTables(stage.outbox.name).published);
    await stage.outbox.admin.query(
      `UPDATE ${name} SET published_at = published_at - interval '2 h' WHERE position > 9`,
    );
    await startRelay(stage.config);
    await until(async () => (await stage.outbox.admin.query(`SELECT FROM ${name}`)).rowCount === 9, {
      what: 'the deletion of old ids',
    });
  });

  it('finds what is missing, swapped, doubled and not from here', async () => {
    const stage = await published();
    const [lost, first, second, unknown] = [randomUUID(), randomUUID(), randomUUID(), 'not-a-uuid'];
    const known = (await stage.arrived())[0]!.id;
    await record(stage, 100_000, lost, 'key-1');
    await record(stage, 100_001, first, 'key-2');
    await record(stage, 100_002, second, 'key-2');
    await produce(stage.topic, 'key-2', [second, first]);
    await produce(stage.topic, 'key-0', [known, unknown]);

    const { code, report, destination, found } = await verify(stage.config, '--margin', '0s');
    expect([code, report.ok]).toEqual([1, false]);
    expect(found).toEqual({ missing: 1, outOfOrder: 1, duplicated: 1, unexpected: 1 });
    expect(destination.missing?.examples).toMatchObject([{ id: lost, position: '100000', address: stage.topic }]);
    expect(destination.outOfOrder.examples).toEqual([{ id: first, position: '100001', behind: '100002' }]);
    expect(destination.duplicated.examples).toMatchObject([{ id: known, copies: 1 }]);
    expect(destination.unexpected?.examples).toEqual([unknown]);

    // by default a row may have been published long before its deletion: nothing is unexpected so soon
    expect((await verify(stage.config)).found).toEqual({ missing: 1, outOfOrder: 1, duplicated: 1, unexpected: 0 });
    const elsewhen = await verify(stage.config, '--since', '3h', '--until', '2h');
    expect([elsewhen.code, elsewhen.found]).toEqual([0, SOUND]);
  });

  it('does not take what a topic was told to forget for lost', async () => {
    const stage = await published();
    const admin = client.admin();
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(stage.topic);
    const partitions = offsets.map(({ partition, offset }) => ({ partition, offset: String(Number(offset) >> 1) }));
    await admin.deleteTopicRecords({ topic: stage.topic, partitions });
    const truncated = await verify(stage.config);
    expect([truncated.code, truncated.found.missing]).toEqual([0, 0]);
    expect(truncated.destination.notRetained).toBeGreaterThan(0);
    expect(truncated.destination.notJudged.join()).toContain('has lost messages of the window to its retention');

    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: stage.topic };
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    await admin.disconnect();
    const told = until(
      async () => {
        const { destination } = await verify(stage.config);
        return destination.notJudged.join().includes('is compacted');
      },
      { what: 'the notice that the topic is compacted' },
    );
    await told;
  });

  it('without a record tells duplicates, and order by the positions that messages carry', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const routes = [{ destination: 'kafka', topic: stage.topic, headers: { 'x-outbox-position': '${position}' } }];
    const config = { ...stage.config, routes };
    const relay = await startRelay(config);
    await write(stage);
    await stage.outbox.untilEmpty();
    await relay.end('SIGTERM');
    const sound = await verify(config);
    expect([sound.code, sound.found]).toEqual([
      0,
      { missing: undefined, outOfOrder: 0, duplicated: 0, unexpected: undefined },
    ]);
    expect(sound.destination.notJudged.join()).toContain('published.retain');

    const producer = client.producer();
    await producer.connect();
    const late = { id: randomUUID(), 'x-outbox-position': '1' };
    await producer.send({ topic: stage.topic, messages: [{ key: 'key-1', value: '{}', headers: late }] });
    await producer.disconnect();
    const { code, destination } = await verify(config);
    expect([code, destination.outOfOrder.examples.map(({ id }) => id)]).toEqual([1, [late.id]]);
  });

  it('refuses what it cannot compare', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const config = ['--config', await configFile(stage.config)];
    expect(await outboxRelay('verify', ...config, '--destination', 'nowhere')).toMatchObject({ code: 3 });
    expect(await outboxRelay('verify', ...config, '--routing-key', 'a')).toMatchObject({ code: 2 });
    expect(await outboxRelay('verify', ...config, '--since', 'yesterday')).toMatchObject({ code: 2 });
  });
});
