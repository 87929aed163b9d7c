/** The same bytes as Debezium Server 3.0 has, by the configuration that `outbox-relay migrate debezium` makes of its own. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CASES, type CaseFormat, type DebeziumCase, RABBITMQ_CASE } from '../support/debezium/cases.ts';
import {
  caseKafkaSink,
  caseRabbitmqSink,
  caseProperties,
  type CaseServerOptions,
  startCaseServer,
} from '../support/debezium/case-server.ts';
import { migrated, migratedConnector, publishByRelay } from '../support/debezium/relay.ts';
import { readTopic, type TopicRecord } from '../support/kafka-reader.ts';
import { createTopic } from '../support/kafka-topic.ts';
import { connectAdmin } from '../support/outbox.ts';
import { declareQueue, type QueueMessage, takeMessages } from '../support/rabbit-reader.ts';
import { describeWithService, describeWithTool, freshDatabase, uniqueName } from '../support/service.ts';
import { debeziumDistribution } from '../support/services/debezium-distribution.ts';
import { until } from '../support/services/until.ts';

/** A server takes three to six seconds to start, on a busy machine many times that. */
const TIMEOUT_MS = 180_000;

describeWithTool('Debezium Server', debeziumDistribution, 'the bytes of Debezium', () => {
  const database = freshDatabase();
  const publication = uniqueName('debezium');
  let admin: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    await admin.query(`CREATE PUBLICATION ${publication} FOR ALL TABLES WITH (publish = 'insert')`);
  });
  afterAll(() => admin.end());

  /** Makes the tables and the slot, so that a server finds their rows in the log; resolves with how many rows each has. */
  const write = async (slot: string, cases: readonly DebeziumCase[]): Promise<ReadonlyMap<string, number>> => {
    for (const { name, columns } of cases)
      await admin.query(`CREATE TABLE ${name} (${columns}, position bigint GENERATED ALWAYS AS IDENTITY UNIQUE)`);
    await admin.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
    const counts = new Map<string, number>();
    for (const { name, rows } of cases)
      counts.set(name, (await admin.query(`INSERT INTO ${name} ${rows}`)).rowCount ?? 0);
    return counts;
  };

  describeWithService('kafka', 'in Kafka', ({ url: brokers }) => {
    const run = async (format: CaseFormat): Promise<void> => {
      const cases = CASES.filter((one) => one.format === format);
      const name = uniqueName(format);
      const counts = await write(name, cases);
      const topic = (by: string, one: DebeziumCase): string => `${name}.${by}.${one.name}.order`;
      await Promise.all(
        cases.flatMap((one) => ['debezium', 'relay'].map((by) => createTopic(brokers, topic(by, one)))),
      );
      const options = (by: string): CaseServerOptions => ({
        ...{ databaseUrl: database.url, publication, name, cases, format, sink: caseKafkaSink(brokers, format) },
        topicsOf: (one) => topic(by, one).slice(0, -'order'.length),
      });
      const server = await startCaseServer(options('debezium'));
      const arrived = async (one: DebeziumCase): Promise<readonly TopicRecord[]> =>
        await until(
          async () => {
            if (!server.running) throw new Error(`Debezium has ended: ${await server.output()}`);
            const records = await readTopic(brokers, topic('debezium', one));
            return records.length === counts.get(one.name) && records;
          },
          { what: `the events of ${one.name}`, timeoutMs: 120_000, everyMs: 100 },
        );
      for (const one of cases) {
        const migration = await migrated(caseProperties(options('relay'), one));
        expect(
          migration.findings.filter(({ status }) => status === 'error'),
          one.name,
        ).toEqual([]);
        await publishByRelay(migration, database.url);
        const expected = sorted(await arrived(one));
        const records = sorted(await readTopic(brokers, topic('relay', one)));
        expect.soft(records, one.name).toEqual(expected);
        expect(records).toHaveLength(counts.get(one.name) ?? 0);
      }
    };

    it('go to the partition that a row names, as a connector of Kafka Connect sends them', async () => {
      const [table, topic] = [uniqueName('parted'), uniqueName('topic')];
      await createTopic(brokers, topic);
      await admin.query(`CREATE TABLE ${table} (id uuid DEFAULT gen_random_uuid(), kind text, aggregateid text, payload text,
        part integer, position bigint GENERATED ALWAYS AS IDENTITY UNIQUE)`);
      await admin.query(`INSERT INTO ${table} (kind, aggregateid, payload, part)
        SELECT '${topic}', 'key-' || n % 3, n, nullif(n % 4, 3) FROM generate_series(0, 39) n`);
      const { hostname, port, pathname, username } = new URL(database.url);
      const migration = await migratedConnector({
        ...{ 'database.hostname': hostname, 'database.port': port, 'database.user': username },
        ...{ 'database.dbname': pathname.slice(1), 'table.include.list': `public.${table}` },
        'producer.override.bootstrap.servers': brokers,
        'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
        'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
        ...{ transforms: 'o', 'transforms.o.type': 'io.debezium.transforms.outbox.EventRouter' },
        ...{ 'transforms.o.route.by.field': 'kind', 'transforms.o.route.topic.replacement': '${routedByValue}' },
        'transforms.o.table.fields.additional.placement': 'part:partition',
      });
      await publishByRelay(migration, database.url);
      const records = await readTopic(brokers, topic);
      expect(records).toHaveLength(40);
      const placed = records.map(({ value, partition }) => [Number(value?.toString()), partition] as const);
      expect(placed.filter(([n, partition]) => n % 4 !== 3 && partition !== n % 4)).toEqual([]);
      // where the column is null, the key decides
      const byKey = records.filter(({ value }) => Number(value?.toString()) % 4 === 3);
      const chosen = byKey.map(({ key, partition }) => `${key?.toString()} ${partition}`);
      expect(new Set(chosen).size).toBe(new Set(byKey.map(({ key }) => key?.toString())).size);
    });

    it('are those of converters for texts and bytes', () => run('plain'), TIMEOUT_MS);
    it('are those of JsonConverter', () => run('json'), TIMEOUT_MS);
    it('are those of a server that nobody has told anything, with schemas', () => run('untold'), TIMEOUT_MS);
  });

  describeWithService('rabbitmq', 'in RabbitMQ', ({ url }) => {
    it(
      'are those of its sink',
      async () => {
        const [name, cases, { format }] = [uniqueName('rabbit'), [RABBITMQ_CASE], RABBITMQ_CASE];
        const count = (await write(name, cases)).get(RABBITMQ_CASE.name) ?? 0;
        const queueOf = (by: string): string => `${name}.${by}`;
        for (const by of ['debezium', 'relay']) {
          const binding = { exchange: queueOf(by), routingKey: '#', exchangeType: 'topic' } as const;
          await declareQueue(url, { queue: queueOf(by), binding });
        }
        const options = (by: string): CaseServerOptions => ({
          ...{ databaseUrl: database.url, publication, name, cases, format, topicsOf: () => 'shop.' },
          sink: caseRabbitmqSink(url, queueOf(by)),
        });
        await startCaseServer(options('debezium'));
        const expected = await takeMessages(url, queueOf('debezium'), count);
        const migration = await migrated(caseProperties(options('relay'), RABBITMQ_CASE));
        expect(migration.ok).toBe(true);
        await publishByRelay(migration, database.url);
        const messages = await takeMessages(url, queueOf('relay'), count);
        expect(messages.map(asSeen)).toEqual(expected.map(asSeen));
        expect(messages.map(({ properties }) => properties.messageId as unknown)).toHaveLength(count);
      },
      TIMEOUT_MS,
    );
  });
});

/** What consumers see of a message, without what the relay adds. */
function asSeen({ routingKey, content, properties }: QueueMessage) {
  const headers = Object.entries(properties.headers ?? {});
  return {
    routingKey,
    content: content.toString(),
    deliveryMode: properties.deliveryMode as unknown,
    headers: new Map(headers.filter(([name]) => name !== 'x-deduplication-header')),
  };
}

/** What consumers see of records, in an order that does not depend on when each was written. */
function sorted(records: readonly TopicRecord[]) {
  return records
    .map(({ partition, key, value, headers }) => ({
      partition,
      key: key?.toString() ?? null,
      value: value?.toString('latin1') ?? null,
      headers: headers.map(([name, text]) => `${name}=${text?.toString() ?? null}`),
    }))
    .sort((a, b) => (JSON.stringify(a.headers) < JSON.stringify(b.headers) ? -1 : 1));
}
