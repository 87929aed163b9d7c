import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { headerOf, readTopic } from '../support/kafka-reader.ts';
import { freshTopic } from '../support/kafka-topic.ts';
import { declareQueue, drainQueue, takeMessages } from '../support/rabbit-reader.ts';
import { type RelayOutbox, relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { until } from '../support/services/until.ts';

const MIB = 2 ** 20;
/** More than a broker takes unless it is told to: RabbitMQ 128 MiB before version 4.0, 16 MiB since; Kafka 1 MiB. */
const BOMB_BYTES = 130 * MIB;
/** Of the largest row, in the worst moment: what each destination has of it, and what waits to be collected. */
const COPIES = 4;

/** Waits until exactly this is marked: key and error code. */
async function untilMarked({ admin, name }: RelayOutbox, expected: readonly string[]): Promise<void> {
  const marks = async (): Promise<string> => {
    const { rows } = await admin.query<{ mark: string }>(
      `SELECT key || ': ' || code AS mark FROM ${quoteTable(companionTables(name).parked)}`,
    );
    return JSON.stringify(rows.map(({ mark }) => mark).toSorted());
  };
  const wanted = JSON.stringify(expected.toSorted());
  await until(async () => (await marks()) === wanted, { what: `the marks ${wanted}`, details: marks });
}

describeWithService('kafka', 'rows that mean harm', ({ url: brokers }) => {
  describeWithService('rabbitmq', 'at both brokers', ({ url: amqp }) => {
    const database = freshDatabase();

    it('a row many times as large as limits.memory and as any broker takes is parked, by either lane; others flow', async () => {
      const outbox = await relayOutbox(database.url, { payload: 'text' });
      const topic = await freshTopic(brokers);
      const queue = uniqueName('queue');
      await declareQueue(amqp, { queue });
      const insert = (lane: string) =>
        outbox.admin.query(
          `INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload)
           SELECT broker, broker || ' ' || $1 || ' ' || key, 'sent', repeat('x', bytes)
           FROM unnest('{kafka,rabbitmq}'::text[]) broker,
             (VALUES ('before', 1), ('bomb', ${BOMB_BYTES}), ('behind', 2)) rows (key, bytes)`,
          [lane],
        );
      await insert('table');
      const relay = await startRelay(
        outbox.config({
          destinations: { kafka: { type: 'kafka', brokers }, rabbitmq: { type: 'rabbitmq', url: amqp } },
          routes: [
            { match: { aggregatetype: 'kafka' }, destination: 'kafka', topic },
            { destination: 'rabbitmq', exchange: '', routingKey: queue, headers: { key: '${aggregateid}' } },
          ],
          limits: { memory: '16MiB' },
        }),
      );
      const idle = await relay.peakMemory();
      const bombs = (lane: string) => ['kafka', 'rabbitmq'].map((name) => `${name} ${lane} bomb: message_too_large`);
      await untilMarked(outbox, bombs('table'));
      await relay.untilState('streaming', 'kafka');
      await relay.untilState('streaming', 'rabbitmq');
      await insert('stream');
      await untilMarked(outbox, [...bombs('table'), ...bombs('stream')]);
      await outbox.untilSize(4);
      const records = await readTopic(brokers, topic);
      const messages = await takeMessages(amqp, queue, 4);
      const others = ['table before', 'table behind', 'stream before', 'stream behind'];
      expect(records.map(({ key }) => String(key)).toSorted()).toEqual(others.map((one) => `kafka ${one}`).toSorted());
      expect(messages.map(({ properties }) => String(properties.headers?.key)).toSorted()).toEqual(
        others.map((one) => `rabbitmq ${one}`).toSorted(),
      );
      expect((await relay.peakMemory()) - idle).toBeLessThan(2 * COPIES * BOMB_BYTES);
    }, 120_000);

    it('names and headers of every kind arrive as they are, or are the fault of their row', async () => {
      const outbox = await relayOutbox(database.url);
      const topic = await freshTopic(brokers);
      const [exchange, queue] = [uniqueName('exchange'), uniqueName('queue')];
      await declareQueue(amqp, { queue, binding: { exchange, routingKey: '#', exchangeType: 'topic' } });
      const relay = await startRelay(
        outbox.config({
          destinations: { kafka: { type: 'kafka', brokers }, rabbitmq: { type: 'rabbitmq', url: amqp } },
          routes: [
            { match: { aggregatetype: 'kafka' }, destination: 'kafka', topic: '${type}' },
            { destination: 'rabbitmq', exchange: '${aggregatetype}', routingKey: '${type}' },
          ],
        }),
      );
      await relay.untilState('streaming', 'kafka');
      await relay.untilState('streaming', 'rabbitmq');
      const LINES = 'a\r\nx-forged: b';
      const LONG = 'n'.repeat(64 * 1024);
      const nested = `{"a": ${'['.repeat(2_000)}${']'.repeat(2_000)}}`;
      const lines = JSON.stringify({ [LINES]: LINES });
      /** Key, aggregatetype, type, headers; and what is at fault, if anything is. */
      const rows = [
        ['kafka lines', 'kafka', topic, lines, null],
        ['kafka long name', 'kafka', topic, JSON.stringify({ [LONG]: 'x' }), null],
        ['kafka nested', 'kafka', topic, nested, 'route_headers'],
        ['kafka topic', 'kafka', `${topic}\n`, null, 'message_invalid'],
        ['kafka long topic', 'kafka', LONG, null, 'message_invalid'],
        ['kafka good', 'kafka', topic, null, null],
        ['rabbit lines', exchange, LINES, lines, null],
        ['rabbit long name', exchange, 'x', JSON.stringify({ [LONG]: 'x' }), 'message_invalid'],
        ['rabbit name of 256', exchange, 'x', JSON.stringify({ ['ä'.repeat(128)]: 'x' }), 'message_invalid'],
        ['rabbit long value', exchange, 'x', JSON.stringify({ x: LONG }), 'message_too_large'],
        ['rabbit nested', exchange, 'x', nested, 'route_headers'],
        ['rabbit reserved', exchange, 'x', JSON.stringify({ CC: 'x' }), 'message_invalid'],
        ['rabbit long routing key', exchange, 'ä'.repeat(128), null, 'message_invalid'],
        ['rabbit exchange', `${exchange}\r\n.`, 'x', null, 'message_unroutable'],
        ['rabbit long exchange', LONG, 'x', null, 'message_invalid'],
        ['rabbit good', exchange, 'y'.repeat(255), null, null],
      ] as const;
      await outbox.admin.query('BEGIN');
      for (const [key, aggregate, type, headers] of rows) {
        await outbox.admin.query(
          `INSERT INTO ${outbox.table} (aggregateid, aggregatetype, type, payload, headers) VALUES ($1, $2, $3, '{}', $4)`,
          [key, aggregate, type, headers],
        );
      }
      await outbox.admin.query('COMMIT');
      const faults = rows.flatMap(([key, , , , code]) => (code === null ? [] : [`${key}: ${code}`]));
      await untilMarked(outbox, faults);
      await outbox.untilSize(faults.length);

      const records = new Map((await readTopic(brokers, topic)).map((record) => [String(record.key), record]));
      expect([...records.keys()].toSorted()).toEqual(['kafka good', 'kafka lines', 'kafka long name']);
      expect(headerOf(records.get('kafka lines')!, LINES)).toBe(LINES);
      expect(headerOf(records.get('kafka long name')!, LONG)).toBe('x');
      // the exchange that is missing closes the channel, and what was unconfirmed on it is sent again
      const messages = await drainQueue(amqp, queue);
      const types = new Set(messages.map(({ properties }) => String(properties.type)));
      expect([...types].toSorted()).toEqual([LINES, 'y'.repeat(255)]);
      const forged = messages.find(({ properties }) => properties.type === LINES);
      expect(forged?.properties.headers).toMatchObject({ [LINES]: LINES });
      expect(forged?.properties.headers).not.toHaveProperty('x-forged');
    }, 90_000);
  });
});
