/** Switching over from a running Debezium Server as docs/migrate-from-debezium.md has it, with its SQL, while rows are written; and back. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { tableMapping } from '../../src/app/routes.ts';
import { applyInit } from '../../src/postgres/init.ts';
import { configureDebezium, debeziumCommand, kafkaSink, propertiesText } from '../support/debezium-server.ts';
import { loadMigrated, migrated } from '../support/debezium/relay.ts';
import { samplesOf } from '../support/doc-samples.ts';
import { headerOf, readTopic, type TopicRecord } from '../support/kafka-reader.ts';
import { createTopic } from '../support/kafka-topic.ts';
import { connectAdmin } from '../support/outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, describeWithTool, freshDatabase, uniqueName } from '../support/service.ts';
import { spawnService, type ServiceProcess } from '../support/services/child-process.ts';
import { debeziumDistribution } from '../support/services/debezium-distribution.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import { until } from '../support/services/until.ts';

const SQL = samplesOf('docs/migrate-from-debezium.md').filter(({ language }) => language === 'sql');
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const WRITERS = 3;
const KEYS = 4;
/** Published, and not deleted, before anything is done. */
const OLD_ROWS = 200;
const AFTER_ROWS = 150;

/** The statements of the page that hold this text. */
function statements(text: string): string {
  const found = SQL.find((sample) => sample.text.includes(text));
  if (found === undefined) throw new Error(`the page has no SQL with ${text}`);
  return found.text;
}

describeWithTool('Debezium Server', debeziumDistribution, 'the switch from Debezium', () => {
  const database = freshDatabase();

  describeWithService('kafka', 'to Kafka', ({ url: brokers }) => {
    it('leaves no gap, publishes no old row again, and keeps the order of each key; and so does the way back', async () => {
      const admin = await connectAdmin(database.url);
      onTestFinished(() => admin.end());
      const prefix = uniqueName('switch');
      const [orders, line] = [`${prefix}.order`, `${prefix}.switch-over`];
      await Promise.all([orders, line].map((topic) => createTopic(brokers, topic)));
      await admin.query(statements('CREATE TABLE outbox ('));
      await admin.query(`CREATE PUBLICATION debezium FOR TABLE outbox WITH (publish = 'insert')`);

      const debezium = await startDebezium('debezium_before', 'no_data', brokers, prefix);
      const writing = new Writing(database.url);
      await writing.untilWritten(OLD_ROWS);

      await admin.query(statements('ADD COLUMN position'));
      const config = loadMigrated(await migrated(debezium.properties));
      const publication = uniqueName('relay');
      const mapping = tableMapping(config);
      await applyInit(admin, { mapping, payload: 'jsonb', relayRole: null, writerRole: null, publication }, true);
      await admin.query(statements('ISOLATION LEVEL'));
      const { rows } = await admin.query<{ id: string }>('SELECT id FROM outbox_switched');
      const old = rows.map(({ id }) => id);
      await until(async () => (await readTopic(brokers, line)).length > 0, { what: 'the line', timeoutMs: 60_000 });
      debezium.server.signal('SIGTERM');
      await debezium.server.exited;
      await writing.untilWritten(writing.committed.length + AFTER_ROWS);
      await admin.query(statements('DELETE FROM outbox o'));

      const migration = await migrated(debezium.properties);
      const relay = await startRelay({ ...migration.config, capture: { publication, pollInterval: '50ms' } });
      await relay.untilState('streaming');
      await writing.untilWritten(writing.committed.length + AFTER_ROWS);
      await writing.stop();
      await untilEmpty(admin);
      const arrived = await readTopic(brokers, orders);
      expect(old.length).toBeGreaterThanOrEqual(OLD_ROWS);
      expect(twice(arrived, old)).toEqual([]);
      expectAll(arrived, writing.committed);

      expect(await relay.end('SIGTERM')).toBe('exit code 0');
      const back = new Writing(database.url);
      await back.untilWritten(AFTER_ROWS);
      await admin.query(`SELECT pg_drop_replication_slot('debezium_before')`);
      await startDebezium('debezium_again', 'initial', brokers, prefix);
      await back.untilWritten(back.committed.length + 1);
      await back.stop();
      const ids = new Set(back.committed.map(({ id }) => id));
      const isThere = async (): Promise<boolean> => {
        const found = (await readTopic(brokers, orders)).filter((record) => ids.has(headerOf(record, 'id') ?? ''));
        return new Set(found.map((record) => headerOf(record, 'id'))).size === ids.size;
      };
      await until(isThere, { what: 'the rows of the way back', timeoutMs: 60_000, everyMs: 200 });
      expect(twice(await readTopic(brokers, orders), old)).toEqual([]);
    }, 240_000);
  });

  /** Makes its slot, and starts a server that reads the outbox. */
  async function startDebezium(
    name: string,
    snapshot: string,
    brokers: string,
    prefix: string,
  ): Promise<{ server: ServiceProcess; properties: string }> {
    const { hostname, port, pathname, username } = new URL(database.url);
    const folder = await scratchFolder('debezium');
    const place = {
      ...{ host: hostname, port: Number(port), database: pathname.slice(1), user: username, password: 'none' },
      ...{ table: 'public.outbox', publication: 'debezium', name },
      sink: {
        ...kafkaSink(brokers.split(','), `${prefix}.\${routedByValue}`),
        'debezium.format.header.class': 'org.apache.kafka.connect.storage.SimpleHeaderConverter',
      },
    };
    const client = await connectAdmin(database.url);
    // with a snapshot it makes the slot itself, so that both begin at the same point
    if (snapshot === 'no_data') await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [name]);
    await client.end();
    await configureDebezium(place, folder, { 'snapshot.mode': snapshot });
    const { command, args } = await debeziumCommand(JVM);
    const server = await spawnService(command, args, { logFile: join(folder, 'debezium.log'), cwd: folder });
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') console.error(`--- log of Debezium\n${await server.output()}`);
      await server.killTree();
      await removeScratchFolder(folder);
    });
    const source = {
      'debezium.source.database.hostname': hostname,
      'debezium.source.database.port': port,
      'debezium.source.database.user': username,
      'debezium.source.database.dbname': pathname.slice(1),
      'debezium.source.table.include.list': 'public.outbox',
      'debezium.transforms': 'outbox',
      'debezium.transforms.outbox.type': 'io.debezium.transforms.outbox.EventRouter',
      'debezium.format.key': 'simplestring',
      'debezium.format.value': 'simplestring',
    };
    return { server, properties: propertiesText({ ...source, ...place.sink }) };
  }
});

interface Committed {
  readonly id: string;
  readonly key: string;
}

/** Writers that go on until they are stopped, each with keys of its own: what it commits is in order. */
class Writing {
  readonly committed: Committed[] = [];
  readonly #writers: Promise<void>;
  #stopped = false;

  constructor(url: string) {
    this.#writers = Promise.all(Array.from({ length: WRITERS }, (_, writer) => this.#write(url, writer))).then();
    this.#writers.catch(() => undefined);
  }

  async untilWritten(rows: number): Promise<void> {
    await until(() => Promise.resolve(this.committed.length >= rows), { what: 'rows to be written', everyMs: 20 });
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#writers;
  }

  async #write(url: string, writer: number): Promise<void> {
    const client = await connectAdmin(url);
    try {
      for (let n = 0; !this.#stopped; n++) {
        const event = { id: randomUUID(), key: `key-${writer}-${n % KEYS}` };
        await client.query(
          `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ($1, 'order', $2, 'Changed', '{}')`,
          [event.id, event.key],
        );
        this.committed.push(event);
        // as fast as a small shop: what matters is that it never pauses
        await client.query('SELECT pg_sleep(0.005)');
      }
    } finally {
      await client.end();
    }
  }
}

async function untilEmpty(admin: pg.Client): Promise<void> {
  const isEmpty = async (): Promise<boolean> => (await admin.query('SELECT FROM outbox LIMIT 1')).rows.length === 0;
  await until(isEmpty, { what: 'the outbox to be empty', timeoutMs: 60_000, everyMs: 50 });
}

/** Which of these ids came more than once. */
function twice(records: readonly TopicRecord[], ids: readonly string[]): readonly string[] {
  const counts = new Map(ids.map((id) => [id, 0]));
  for (const record of records) {
    const id = headerOf(record, 'id') ?? '';
    const count = counts.get(id);
    if (count !== undefined) counts.set(id, count + 1);
  }
  return [...counts].filter(([, count]) => count !== 1).map(([id, count]) => `${id}: ${count}`);
}

/** All are there, and the first of each in the order in which its key was written. */
function expectAll(records: readonly TopicRecord[], committed: readonly Committed[]): void {
  const first = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const record of records) {
    const [id, key] = [headerOf(record, 'id') ?? '', record.key?.toString() ?? ''];
    if (!seen.has(id)) first.set(key, [...(first.get(key) ?? []), id]);
    seen.add(id);
  }
  for (const key of new Set(committed.map((event) => event.key)))
    expect(first.get(key), key).toEqual(committed.filter((event) => event.key === key).map(({ id }) => id));
}
