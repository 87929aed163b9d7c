import type pg from 'pg';
import { expect, it } from 'vitest';
import { freshTopic } from '../support/kafka-topic.ts';
import { readTopic } from '../support/kafka-reader.ts';
import { declareQueue, takeMessages } from '../support/rabbit-reader.ts';
import { relayOutbox, type RelayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';

const LARGE = 900_000;

/** Per payload type, texts of literals, and what is to arrive; null is a tombstone. */
const PAYLOADS = {
  json: [
    '{"z": 1, "a":  9007199254740993, "z": 2.50}',
    '12345678901234567890123456789',
    `"${'é'.repeat(LARGE / 2)}"`,
    null,
  ],
  jsonb: ['{"z":1,"aa":9007199254740993,"b":1.10}', '1e400', `["${'x'.repeat(LARGE)}"]`, null],
  text: ['', 'two\nlines\tand \\N', '\u{1F600} \u0001', 'x'.repeat(LARGE), null],
  bytea: ['\\x', '\\x00ff0a5c78', `\\x${'00fe'.repeat(LARGE / 2)}`, null],
} as const;

/** Inserts each payload once for each broker, and returns what is to arrive there by key: bytes as Postgres prints them. */
async function insert(
  { admin, table }: RelayOutbox,
  payloads: readonly (string | null)[],
  lane: string,
): Promise<Map<string, Buffer | null>> {
  const expected = new Map<string, Buffer | null>();
  for (const [index, payload] of payloads.entries()) {
    for (const broker of ['kafka', 'rabbitmq']) {
      const key = `${broker} ${lane} ${index}`;
      const { rows }: pg.QueryResult<{ body: Buffer | null }> = await admin.query(
        `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload) VALUES ($1, $2, 'sent', $3)
         RETURNING CASE WHEN pg_typeof(payload) = 'bytea'::regtype THEN decode(substr(payload::text, 3), 'hex')
                        ELSE convert_to(payload::text, 'UTF8') END AS body`,
        [broker, key, payload],
      );
      expected.set(key, rows[0]!.body);
    }
  }
  return expected;
}

/** Comparable, and short when it differs. */
function digest(body: Buffer | null): string {
  return body === null ? 'tombstone' : `${body.length} bytes: ${body.toString('base64').slice(0, 80)}`;
}

describeWithService('kafka', 'a payload', ({ url: brokers }) => {
  describeWithService('rabbitmq', 'at both brokers', ({ url: amqp }) => {
    const database = freshDatabase();

    it.each(Object.keys(PAYLOADS) as (keyof typeof PAYLOADS)[])(
      'of type %s arrives byte by byte as Postgres has it, by table and by stream',
      async (payload) => {
        const outbox = await relayOutbox(database.url, { payload });
        const topic = await freshTopic(brokers);
        const queue = uniqueName('queue');
        await declareQueue(amqp, { queue });
        const early = await insert(outbox, PAYLOADS[payload], 'table');
        const relay = await startRelay(
          outbox.config({
            destinations: { kafka: { type: 'kafka', brokers }, rabbitmq: { type: 'rabbitmq', url: amqp } },
            routes: [
              { match: { aggregatetype: 'kafka' }, destination: 'kafka', topic },
              { destination: 'rabbitmq', exchange: '', routingKey: queue, headers: { key: '${aggregateid}' } },
            ],
          }),
        );
        await relay.untilState('streaming', 'kafka');
        await relay.untilState('streaming', 'rabbitmq');
        const late = await insert(outbox, PAYLOADS[payload], 'stream');
        await outbox.untilEmpty();

        const records = await readTopic(brokers, topic);
        const messages = await takeMessages(amqp, queue, 2 * PAYLOADS[payload].length);
        const arrived = new Map([
          ...records.map(({ key, value }) => [key?.toString() ?? '', value] as const),
          ...messages.map(({ content, properties: { headers } }) => {
            const isTombstone = headers?.['x-outbox-tombstone'] === true;
            return [String(headers?.key), isTombstone ? null : content] as const;
          }),
        ]);
        const wrong = [...early, ...late].flatMap(([key, body]) => {
          const got = arrived.get(key);
          const same = got === undefined || got === null || body === null ? got === body : got.equals(body);
          return same ? [] : [`${key}: ${got === undefined ? 'nothing' : digest(got)} for ${digest(body)}`];
        });
        expect(wrong).toEqual([]);
        expect(records).toHaveLength(2 * PAYLOADS[payload].length);
        expect(await relay.metric('published_total', { lane: 'table' })).toBe(early.size);
        expect(await relay.metric('published_total', { lane: 'stream' })).toBe(late.size);
      },
      90_000,
    );
  });
});
