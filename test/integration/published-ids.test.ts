/** The record of published ids: in one statement with the deletion, and deleted when it is old. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Delivery, PublishedRow } from '../../src/core/store.ts';
import { PostgresParkedStore } from '../../src/postgres/parked-store.ts';
import { expirePublished } from '../../src/postgres/published-ids.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { PostgresSettler, SETTLE_SETTINGS } from '../../src/postgres/settle.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import * as harness from '../support/table-harness.ts';

const TO_TOPIC: Delivery = {
  destination: 'kafka',
  address: { kind: 'topic', topic: 'orders' },
  key: 'a "b" \\ {c}, ä',
};
const TO_EXCHANGE: Delivery = {
  destination: 'rabbit',
  address: { kind: 'exchange', exchange: 'events', routingKey: 'order.created' },
  key: null,
};

describeWithService('postgres', 'published ids', () => {
  const database = freshDatabase();
  let sql: pg.Client;
  let session: SqlSession;
  let settler: PostgresSettler;

  beforeAll(async () => {
    sql = await harness.connect(database.url);
  });
  beforeEach(async () => {
    await sql.query(harness.RECREATE);
    session = new SqlSession(harness.postgresOptions(database.url), { role: 'settle', settings: SETTLE_SETTINGS });
    settler = new PostgresSettler(session, harness.outbox(), true);
  });
  afterEach(() => session.close());
  afterAll(() => sql.end());

  const rowsWith = async (delivery: Delivery): Promise<PublishedRow[]> => {
    const { rows } = await sql.query<{ position: string; id: string }>('SELECT position, id FROM outbox ORDER BY 1');
    return rows.map(({ position, id }) => ({ position: BigInt(position), id, xid: null, delivery }));
  };
  const kept = async (): Promise<unknown[]> => {
    const columns = 'position::int, id, destination, address, routing_key, key, dead_letter';
    return (await sql.query<object>(`SELECT ${columns} FROM outbox_published ORDER BY position`)).rows;
  };

  test('are kept for what the statement deleted, and for nothing else', async () => {
    await sql.query(harness.insertKeys('a', 'b', 'c'));
    const [a, b, c] = await rowsWith(TO_TOPIC);
    const gone = { ...b!, id: '00000000-0000-4000-8000-000000000000' };
    const result = await settler.settle([a!, gone, { ...c!, delivery: TO_EXCHANGE }]);
    expect([result.deleted, result.missing]).toEqual([2, [gone]]);
    const common = { dead_letter: false };
    expect(await kept()).toEqual([
      {
        ...common,
        position: 1,
        id: a!.id,
        destination: 'kafka',
        address: 'orders',
        routing_key: null,
        key: TO_TOPIC.key,
      },
      {
        ...common,
        position: 3,
        id: c!.id,
        destination: 'rabbit',
        address: 'events',
        routing_key: 'order.created',
        key: null,
      },
    ]);
  });

  test('are kept of a dead letter, as such', async () => {
    await sql.query(harness.insertKeys('a'));
    const [row] = await rowsWith(TO_TOPIC);
    const store = new PostgresParkedStore(session, harness.outbox(), { shard: 0, epoch: 1n }, true);
    expect(await store.bury(row!)).toBe(true);
    expect(await store.bury(row!)).toBe(true);
    expect(await kept()).toMatchObject([{ position: 1, id: row!.id, address: 'orders', dead_letter: true }]);
  });

  test('without a place to keep them nothing is deleted', async () => {
    await sql.query(harness.insertKeys('a'));
    await sql.query('DROP TABLE outbox_published');
    await expect(settler.settle(await rowsWith(TO_TOPIC))).rejects.toMatchObject({ code: 'postgres_schema' });
    expect(await rowsWith(TO_TOPIC)).toHaveLength(1);
    const plain = new PostgresSettler(session, harness.outbox());
    expect(await plain.settle(await rowsWith(TO_TOPIC))).toMatchObject({ deleted: 1 });
  });

  test('are deleted when they are old, oldest first, so many at a time', async () => {
    await sql.query(`INSERT INTO outbox_published (position, id, destination, address, dead_letter, published_at)
      SELECT n, n, 'kafka', 'orders', false, now() - n * interval '1 minute' FROM generate_series(1, 10) n`);
    const retainMs = 5.5 * 60_000;
    expect(await expirePublished(session, harness.outbox(), retainMs, 3)).toBe(3);
    expect(await kept()).toHaveLength(7);
    expect(await expirePublished(session, harness.outbox(), retainMs, 3)).toBe(2);
    expect(await kept()).toMatchObject([1, 2, 3, 4, 5].map((position) => ({ position })));
  });
});
