import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { readTopic } from '../support/kafka-reader.ts';
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
