import { HTTP } from 'cloudevents';
import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { type ConsumedRecord, readAmqpHeaders, readBySdk, readStructured } from '../support/cloudevents.ts';
import { freshTopic } from '../support/kafka-topic.ts';
import { declareQueue, type QueueMessage, takeMessages } from '../support/rabbit-reader.ts';
import { relayOutbox, type RelayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const PAYLOADS = {
  jsonb: { text: '{"a": 9007199254740993, "b": 1.10, "c": "größe"}', contentType: 'application/json' },
  bytea: { text: '\\x00ff0a22', contentType: 'application/octet-stream' },
} as const;

/** Inserts a row with a payload and one without, for each aggregate type; resolves with their ids, `type/key` to id. */
async function insert({ admin, table }: RelayOutbox, kinds: readonly string[], payload: string, lane: string) {
  const { rows } = await admin.query<{ name: string; id: string }>(
    `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload, headers, created_at)
     SELECT kind, $2 || suffix, 'com.example.order.paid', CASE suffix WHEN '' THEN $3 END::text::${
       payload.startsWith('\\x') ? 'bytea' : 'jsonb'
     }, $4, '2026-11-23 21:12:05.123450+02'
     FROM unnest($1::text[]) kind, unnest(ARRAY['', ' without data']) suffix
     RETURNING aggregatetype || '/' || aggregateid AS name, id`,
    [kinds, lane, payload, { traceparent: TRACEPARENT, tracestate: 'a=b', 'x-tenant': 'größer' }],
  );
  return rows.map(({ name, id }) => [name, id] as const);
}

/** Consumes so many records with kafkajs, which the relay does not use here. */
async function consume(brokers: string, topic: string, count: number): Promise<ConsumedRecord[]> {
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const consumer = client.consumer({ groupId: uniqueName('group') });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    const records: ConsumedRecord[] = [];
    await new Promise<void>((resolve, reject) => {
      const eachMessage = ({ message: { key, value, headers } }: kafkajs.EachMessagePayload): Promise<void> => {
        const texts = Object.entries(headers ?? {}).map(([name, text]): [string, string] => [name, String(text)]);
        records.push({ key: String(key), value, headers: Object.fromEntries(texts) });
        if (records.length === count) resolve();
        return Promise.resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
    return records;
  } finally {
    await consumer.disconnect();
  }
}

/** What every event of a key is to have. */
const attributesOf = (key: string, id: string | undefined) => ({
  specversion: '1.0',
  id,
  source: 'https://shop.example/orders',
  type: 'com.example.order.paid',
  subject: key,
  dataschema: 'https://schemas.example/com.example.order.paid',
  partitionkey: key,
  tenant: 'größer',
  traceparent: TRACEPARENT,
  tracestate: 'a=b',
});
const TIME = '2026-11-23T19:12:05.12345Z';
const TIME_BY_SDK = '2026-11-23T19:12:05.123Z';

describeWithService('kafka', 'CloudEvents', ({ url: brokers }) => {
  describeWithService('rabbitmq', 'at both brokers', ({ url: amqp }) => {
    const database = freshDatabase();

    it.each(['jsonb', 'bytea'] as const)(
      'with a payload of type %s are read by the official SDK as the rows say, from table and stream',
      async (type) => {
        const { text, contentType } = PAYLOADS[type];
        const bytes = type === 'bytea' ? Buffer.from([0, 255, 10, 34]) : Buffer.from(text);
        const outbox = await relayOutbox(database.url, { payload: type });
        const topics = { binary: await freshTopic(brokers), structured: await freshTopic(brokers) };
        const queues = { binary: uniqueName('queue'), structured: uniqueName('queue') };
        for (const queue of Object.values(queues)) await declareQueue(amqp, { queue });
        const cloudEvents = (mode: string) => ({
          mode,
          source: 'https://shop.example/orders',
          dataschema: 'https://schemas.example/${type}',
          extensions: { partitionkey: '${aggregateid}' },
          extensionHeaders: { tenant: 'x-tenant' },
        });
        const routes = (['binary', 'structured'] as const).flatMap((mode) => [
          {
            match: { aggregatetype: `kafka ${mode}` },
            destination: 'kafka',
            topic: topics[mode],
            cloudEvents: cloudEvents(mode),
          },
          {
            match: { aggregatetype: `rabbitmq ${mode}` },
            destination: 'rabbitmq',
            exchange: '',
            routingKey: queues[mode],
            cloudEvents: cloudEvents(mode),
          },
        ]);
        const kinds = routes.map(({ match }) => match.aggregatetype);
        const early = await insert(outbox, kinds, text, 'table');
        const relay = await startRelay(
          outbox.config({
            destinations: { kafka: { type: 'kafka', brokers }, rabbitmq: { type: 'rabbitmq', url: amqp } },
            routes,
          }),
        );
        await relay.untilState('streaming', 'kafka');
        await relay.untilState('streaming', 'rabbitmq');
        const ids = new Map([...early, ...(await insert(outbox, kinds, text, 'stream'))]);
        await outbox.untilEmpty();

        for (const record of await consume(brokers, topics.binary, 4)) {
          const attributes = attributesOf(record.key, ids.get(`kafka binary/${record.key}`));
          const { time, tracestate, ...texts } = { ...attributes, time: TIME };
          expect(record.headers).toMatchObject({
            'content-type': contentType,
            ce_time: time,
            ce_tracestate: tracestate,
          });
          expect(record.headers).toMatchObject(prefixed(texts, 'ce_'));
          if (record.key.endsWith('without data')) expect(record.value).toBeNull();
          else {
            expect(record.value).toEqual(bytes);
            expect(readBySdk(record)).toMatchObject({ ...attributes, time: TIME_BY_SDK, datacontenttype: contentType });
          }
        }
        for (const record of await consume(brokers, topics.structured, 4)) {
          const attributes = attributesOf(record.key, ids.get(`kafka structured/${record.key}`));
          expect(readBySdk(record)).toMatchObject({ ...attributes, time: TIME_BY_SDK });
          expectEnvelope(record.value!, record.key, { ...attributes, time: TIME }, { type, bytes, contentType });
        }
        for (const message of await takeMessages(amqp, queues.binary, 4)) {
          const read = Object.fromEntries(readAmqpHeaders(headersOf(message), 'cloudEvents_'));
          const key = String(read.subject);
          expect(read).toEqual({ ...attributesOf(key, ids.get(`rabbitmq binary/${key}`)), time: TIME });
          expect(message.properties.contentType).toBe(contentType);
          expect(message.content).toEqual(key.endsWith('without data') ? Buffer.alloc(0) : bytes);
          // The same message in HTTP's terms, of which the SDK has a reader for binary events.
          const http = { ...prefixed(read, 'ce-'), 'content-type': contentType };
          const event = HTTP.toEvent({ headers: http, body: message.content });
          expect(event).toMatchObject({ ...attributesOf(key, ids.get(`rabbitmq binary/${key}`)), time: TIME_BY_SDK });
        }
        for (const { content, properties } of await takeMessages(amqp, queues.structured, 4)) {
          const event = readStructured(String(properties.contentType), content);
          const key = String(event.subject);
          const attributes = attributesOf(key, ids.get(`rabbitmq structured/${key}`));
          expect(event).toMatchObject({ ...attributes, time: TIME_BY_SDK });
          expectEnvelope(content, key, { ...attributes, time: TIME }, { type, bytes, contentType });
          expect(properties.messageId).toBe(event.id);
        }
      },
      90_000,
    );
  });
});

function headersOf({ properties: { headers } }: QueueMessage): (readonly [string, unknown])[] {
  return Object.entries(headers ?? {});
}

function prefixed(attributes: Readonly<Record<string, unknown>>, prefix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [prefix + name, String(value)]));
}

/** The envelope as it lies in the broker: every member, and JSON with all its digits. */
function expectEnvelope(
  body: Buffer,
  key: string,
  attributes: Readonly<Record<string, unknown>>,
  { type, bytes, contentType }: { type: string; bytes: Buffer; contentType: string },
): void {
  const { data, ...members } = JSON.parse(body.toString()) as Record<string, unknown>;
  if (key.endsWith('without data')) {
    expect([data, members]).toEqual([undefined, attributes]);
    return;
  }
  if (type === 'bytea') {
    expect(members).toEqual({
      ...attributes,
      datacontenttype: contentType,
      data_base64: bytes.toString('base64'),
    });
    return;
  }
  expect(members).toEqual({ ...attributes, datacontenttype: contentType });
  expect(body.toString().endsWith(`,"data":${bytes.toString()}}`)).toBe(true);
}
