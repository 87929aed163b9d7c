import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { headerOf, readTopic } from '../support/kafka-reader.ts';
import { freshTopic, setMaxMessageBytes } from '../support/kafka-topic.ts';
import { declareQueue, takeMessages } from '../support/rabbit-reader.ts';
import { type RelayOutbox, relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { until } from '../support/services/until.ts';

/** More than Kafka's brokers take, unless the topic says otherwise. */
const TOO_LARGE = 'x'.repeat(1_200_000);

type Row = readonly [key: string, payload: string];

/** Inserts rows in one transaction each. */
async function insert({ admin, table }: RelayOutbox, rows: readonly Row[], type = 'order'): Promise<void> {
  for (const row of rows) {
    await admin.query(
      `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload) VALUES ('${type}', $1, 'sent', $2)`,
      [...row],
    );
  }
}

/** What is marked: key and error code. */
async function marks({ admin, name }: RelayOutbox): Promise<string[]> {
  const { rows } = await admin.query<{ mark: string }>(
    `SELECT key || ': ' || code AS mark FROM ${quoteTable(companionTables(name).parked)} ORDER BY position`,
  );
  return rows.map(({ mark }) => mark);
}

/** Waits until exactly this is marked. */
async function untilMarked(outbox: RelayOutbox, ...expected: readonly string[]): Promise<void> {
  await until(async () => (await marks(outbox)).join() === expected.join(), { what: `the mark ${expected.join()}` });
}

/** Takes all marks away, as `retry` does. */
async function retry({ admin, name }: RelayOutbox): Promise<void> {
  await admin.query(`DELETE FROM ${quoteTable(companionTables(name).parked)}`);
}

async function valuesIn(brokers: string, topic: string, key: string): Promise<string[]> {
  const records = (await readTopic(brokers, topic)).filter((record) => record.key?.toString() === key);
  return records.map(({ value }) => (value === null ? 'null' : value.length > 99 ? 'large' : value.toString()));
}

const A: readonly Row[] = [
  ['a', 'first'],
  ['a', TOO_LARGE],
  ['a', 'third'],
];
const B: readonly Row[] = [
  ['b', 'first'],
  ['b', 'second'],
];

describeWithService('kafka', 'a row that Kafka refuses for good', ({ url: brokers }) => {
  const database = freshDatabase();

  async function start(route: Readonly<Record<string, unknown>>) {
    const outbox = await relayOutbox(database.url, { payload: 'text' });
    const topic = await freshTopic(brokers);
    const destinations = { kafka: { type: 'kafka', brokers } };
    const relay = await startRelay(
      outbox.config({ destinations, routes: [{ destination: 'kafka', topic, ...route }] }),
    );
    return { outbox, topic, relay };
  }

  it.each(['table', 'stream'])(
    'is parked with its key, the rest goes on, and a retry brings the key back in order (by %s)',
    async (lane) => {
      const outbox = await relayOutbox(database.url, { payload: 'text' });
      const topic = await freshTopic(brokers);
      const settings = {
        destinations: { kafka: { type: 'kafka', brokers } },
        routes: [{ destination: 'kafka', topic }],
      };
      if (lane === 'table') await insert(outbox, [...A, ...B]);
      const relay = await startRelay(outbox.config(settings));
      await relay.untilState('streaming');
      if (lane === 'stream') await insert(outbox, [...A, ...B]);

      await outbox.untilSize(2);
      await untilMarked(outbox, 'a: message_too_large');
      await insert(outbox, [['a', 'fourth'], ...B]);
      await outbox.untilSize(3);
      expect(await valuesIn(brokers, topic, 'a')).toEqual(['first']);
      expect(await valuesIn(brokers, topic, 'b')).toEqual(['first', 'second', 'first', 'second']);
      await relay.waitFor('one parked row', ({ destinations: [kafka] }) => kafka?.parkedRows === 1);

      await setMaxMessageBytes(brokers, topic, 2_000_000);
      await retry(outbox);
      await outbox.untilEmpty();
      expect(await valuesIn(brokers, topic, 'a')).toEqual(['first', 'large', 'third', 'fourth']);
      await relay.untilState('streaming');
    },
    90_000,
  );

  it('is left where it was by a restart: its key still waits', async () => {
    const { outbox, topic, relay } = await start({});
    await insert(outbox, A);
    await outbox.untilSize(2);
    expect(await relay.end('SIGTERM')).toBe('exit code 0');
    const config = outbox.config({
      destinations: { kafka: { type: 'kafka', brokers } },
      routes: [{ destination: 'kafka', topic }],
    });
    const next = await startRelay(config);
    await next.untilState('streaming');
    await insert(outbox, [...B, ['a', 'fourth']]);
    await outbox.untilSize(3);
    expect(await valuesIn(brokers, topic, 'a')).toEqual(['first']);
  }, 90_000);

  it('goes to the dead letters, and its key goes on', async () => {
    const letters = await freshTopic(brokers, 1);
    await setMaxMessageBytes(brokers, letters, 2_000_000);
    const { outbox, topic, relay } = await start({ onError: 'dead-letter', deadLetter: { topic: letters } });
    await relay.untilState('streaming');
    await insert(outbox, [...A, ...B]);
    await outbox.untilEmpty();
    expect(await valuesIn(brokers, topic, 'a')).toEqual(['first', 'third']);
    expect(await valuesIn(brokers, letters, 'a')).toEqual(['large']);
    expect(await marks(outbox)).toEqual([]);
  }, 90_000);

  it('halts the destination where the route says so', async () => {
    const { outbox, topic, relay } = await start({ onError: 'halt' });
    await relay.untilState('streaming');
    await insert(outbox, A);
    const status = await relay.untilState('halted');
    expect(status.destinations[0]?.error).toMatchObject({ code: 'halted' });
    await insert(outbox, B);
    expect(await valuesIn(brokers, topic, 'b')).toEqual([]);
    await outbox.untilSize(4);
    expect(await relay.end('SIGTERM')).toBe('exit code 0');
  }, 90_000);

  it('because no route takes it is parked, and stops nothing else', async () => {
    const { outbox, topic, relay } = await start({ match: { aggregatetype: 'order' } });
    await relay.untilState('streaming');
    await insert(outbox, [['c', 'lost']], 'nobody knows');
    await insert(outbox, B);
    await outbox.untilSize(1);
    expect(await valuesIn(brokers, topic, 'b')).toEqual(['first', 'second']);
    const { lastErrors } = await relay.waitFor('one parked row', (status) => status.destinations[0]?.parkedRows === 1);
    expect(lastErrors.find(({ code }) => code === 'route_none')?.message).toContain('nobody knows');
  }, 90_000);
});

/** A row of each kind that can be at fault: what is wrong with it, and by which code that is told. */
const BAD_ROWS = [
  { key: 'large', code: 'message_too_large', topic: 'TOPIC', headers: null, payload: TOO_LARGE },
  { key: 'missing', code: 'message_unroutable', topic: 'TOPIC-that-nobody-made', headers: null, payload: 'x' },
  { key: 'illegal', code: 'message_invalid', topic: 'TOPIC not legal', headers: null, payload: 'x' },
  { key: 'headers', code: 'route_headers', topic: 'TOPIC', headers: '["no object"]', payload: 'x' },
  { key: 'template', code: 'route_template', topic: '', headers: null, payload: 'x' },
];

describeWithService('kafka', 'rows at fault in one transaction with others', ({ url: brokers }) => {
  const database = freshDatabase();

  /** Five bad rows, each with one of its key before and one behind it, between 400 good ones. */
  async function insertMixed({ admin, table }: RelayOutbox, topic: string): Promise<void> {
    const insert = `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload, headers)`;
    const good = `${insert} SELECT $1, 'good-' || n % 20, 't', n::text, NULL FROM generate_series(1, 200) n`;
    await admin.query('BEGIN');
    await admin.query(good, [topic]);
    for (const { key, topic: name, payload, headers } of BAD_ROWS) {
      await admin.query(`${insert} VALUES ($1, $2, 't', 'before', NULL)`, [topic, key]);
      await admin.query(`${insert} VALUES ($1, $2, 't', $3, $4)`, [
        name.replace('TOPIC', topic),
        key,
        payload,
        headers,
      ]);
      await admin.query(`${insert} VALUES ($1, $2, 't', 'behind', NULL)`, [topic, key]);
    }
    await admin.query(good, [topic]);
    await admin.query('COMMIT');
  }

  async function start(route: Readonly<Record<string, unknown>>) {
    const outbox = await relayOutbox(database.url, { payload: 'text' });
    const topic = await freshTopic(brokers);
    const relay = await startRelay(
      outbox.config({
        destinations: { kafka: { type: 'kafka', brokers } },
        routes: [{ destination: 'kafka', topic: '${aggregatetype}', ...route }],
      }),
    );
    await relay.untilState('streaming');
    await insertMixed(outbox, topic);
    return { outbox, topic, relay };
  }

  it('are each parked with code, reason, attempts and time, which a retry in vain counts up', async () => {
    const { outbox, topic } = await start({});
    await outbox.untilSize(2 * BAD_ROWS.length);
    await untilMarked(outbox, ...BAD_ROWS.map(({ key, code }) => `${key}: ${code}`));
    const read = async () => {
      const { rows } = await outbox.admin.query<{ attempts: number; reason: string; age: number }>(
        `SELECT attempts, reason, extract(epoch FROM now() - parked_at)::int AS age
          FROM ${quoteTable(companionTables(outbox.name).parked)} ORDER BY position`,
      );
      return rows;
    };
    for (const { attempts, reason, age } of await read()) {
      expect([attempts, Math.abs(age) < 600]).toEqual([1, true]);
      expect(reason).not.toBe('');
    }
    for (const { key } of BAD_ROWS) expect(await valuesIn(brokers, topic, key)).toEqual(['before']);
    expect((await readTopic(brokers, topic)).filter(({ key }) => key?.toString().startsWith('good'))).toHaveLength(400);

    await retry(outbox);
    await untilMarked(outbox, ...BAD_ROWS.map(({ key, code }) => `${key}: ${code}`));
    expect((await read()).map(({ attempts }) => attempts)).toEqual(BAD_ROWS.map(() => 2));
    expect(await outbox.size()).toBe(2 * BAD_ROWS.length);
  }, 90_000);

  it('go to the dead letters with code and reason in their headers, and their keys go on', async () => {
    const letters = await freshTopic(brokers, 1);
    await setMaxMessageBytes(brokers, letters, 2_000_000);
    const { outbox, topic } = await start({ onError: 'dead-letter', deadLetter: { topic: letters } });
    await outbox.untilEmpty();
    for (const { key } of BAD_ROWS) expect(await valuesIn(brokers, topic, key)).toEqual(['before', 'behind']);
    const told = (await readTopic(brokers, letters)).map((record) => {
      expect(headerOf(record, 'x-outbox-error-reason')).not.toBe('');
      return `${record.key?.toString()}: ${headerOf(record, 'x-outbox-error-code')}`;
    });
    expect(told.toSorted()).toEqual(BAD_ROWS.map(({ key, code }) => `${key}: ${code}`).toSorted());
  }, 90_000);

  it('halt the destination at the first of them, and nothing behind it in its key is published', async () => {
    const { outbox, topic, relay } = await start({ onError: 'halt' });
    await relay.untilState('halted');
    for (const { key } of BAD_ROWS) expect(await valuesIn(brokers, topic, key)).not.toContain('behind');
    expect(await outbox.size()).toBeGreaterThanOrEqual(2 * BAD_ROWS.length);
  }, 90_000);
});

describeWithService('rabbitmq', 'a row that no queue of RabbitMQ takes', ({ url }) => {
  const database = freshDatabase();

  it('is parked with its key, and comes back in order when a queue is bound', async () => {
    const outbox = await relayOutbox(database.url, { payload: 'text' });
    const [exchange, bound, late] = [uniqueName('exchange'), uniqueName('bound'), uniqueName('late')];
    await declareQueue(url, { queue: bound, binding: { exchange, routingKey: 'b', exchangeType: 'topic' } });
    const relay = await startRelay(
      outbox.config({
        destinations: { rabbitmq: { type: 'rabbitmq', url, unroutableRetry: '200ms' } },
        routes: [{ destination: 'rabbitmq', exchange, routingKey: '${aggregateid}' }],
      }),
    );
    await relay.untilState('streaming');
    await insert(outbox, [['a', 'first'], ...B, ['a', 'second']]);
    await outbox.untilSize(2);
    await untilMarked(outbox, 'a: message_unroutable');
    const delivered = await takeMessages(url, bound, 2);
    expect(delivered.map(({ content }) => content.toString())).toEqual(['first', 'second']);

    await declareQueue(url, { queue: late, binding: { exchange, routingKey: 'a' } });
    await retry(outbox);
    await outbox.untilEmpty();
    const returned = await takeMessages(url, late, 2);
    expect(returned.map(({ content }) => content.toString())).toEqual(['first', 'second']);
  }, 90_000);
});
