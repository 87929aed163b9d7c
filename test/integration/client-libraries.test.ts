/** The writer client through each library that it has an entry point for, on real Postgres, as a role that may only write. */
import { inspect } from 'node:util';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutboxMessage, PayloadKind } from '../../src/client/index.ts';
import { applyInit } from '../../src/postgres/init.ts';
import { PAYLOAD_TYPES, type PayloadType } from '../../src/postgres/migrate.ts';
import { classifyTransactionError } from '../../src/resilience/index.ts';
import { CLIENT_LIBRARIES, type Opened } from '../support/client-libraries.ts';
import { connectAdmin, createRole, dropRoles, initOptions, postgresOptions, tableMapping } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

const MESSAGE: OutboxMessage = {
  aggregateType: 'order',
  aggregateId: '42',
  type: 'order.created',
  payload: { total: 1999, name: "O'Brien \\ $1 ? :x 😀", big: 1e300 },
  headers: { tenant: 't-1', attempt: 2, urgent: true },
};

/** A table that nobody here would make: other names, other types, a column more, and what libraries take for parameters. */
const FOREIGN = {
  table: 'app."Out ""Box"" $1 ? :x"',
  create: `CREATE TABLE app."Out ""Box"" $1 ? :x" (
    seq bigserial PRIMARY KEY, event_id varchar(36) NOT NULL, "Kind ?" app.kind NOT NULL, "Key" bigint NOT NULL,
    "pay:load" text, meta json, at timestamp NOT NULL, "tenant $1" uuid NOT NULL, tracingspancontext varchar(256))`,
  options: {
    payload: 'text',
    columns: {
      id: 'event_id',
      aggregateType: null,
      aggregateId: 'Key',
      type: 'Kind ?',
      payload: 'pay:load',
      headers: 'meta',
      createdAt: 'at',
      trace: 'tracingspancontext',
      extra: ['tenant $1'],
    },
  },
} as const;

describeWithService('postgres', 'the client', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let writer = '';
  /** The default outbox with each type of payload; jsonb's is `public.outbox`. */
  const tableOf = (type: PayloadType): string => (type === 'jsonb' ? 'public.outbox' : `with_${type}.outbox`);

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    writer = await createRole(admin, 'writer');
    for (const payload of PAYLOAD_TYPES) {
      const mapping = tableMapping({}, tableOf(payload).split('.')[0]);
      await applyInit(admin, initOptions({ mapping, payload, writerRole: writer, publication: null }), true);
    }
    await admin.query(`CREATE SCHEMA app; CREATE TYPE app.kind AS ENUM ('order.created'); ${FOREIGN.create};
      CREATE TABLE app.numbered (id bigserial PRIMARY KEY, aggregateid text, type text, aggregatetype text, payload jsonb,
        headers jsonb);
      CREATE TABLE orders (id int PRIMARY KEY);
      ALTER TABLE outbox ADD CONSTRAINT no_refunds CHECK (type <> 'order.refunded');
      CREATE FUNCTION app.contend() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION USING ERRCODE = split_part(NEW.type, ':', 2); END $$;
      CREATE TRIGGER contended BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.type LIKE 'contended:%') EXECUTE FUNCTION app.contend();
      GRANT USAGE ON SCHEMA app TO ${writer};
      GRANT INSERT ON orders, ${FOREIGN.table}, app.numbered TO ${writer};
      GRANT SELECT ON orders TO ${writer};
      GRANT SELECT (id) ON app.numbered TO ${writer};
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA app TO ${writer}`);
  });
  afterAll(async () => {
    await dropRoles(admin, [writer]);
    await admin.end();
  });

  async function rowsOf(table: string, order = 'position'): Promise<Record<string, unknown>[]> {
    const { rows } = await admin.query<Record<string, unknown>>(`SELECT * FROM ${table} ORDER BY ${order}`);
    await admin.query(`TRUNCATE ${table}, orders`);
    return rows;
  }
  const orders = async (): Promise<number> =>
    (await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM orders')).rows[0]!.n;

  describe.each(CLIENT_LIBRARIES)('through %s', (_, open) => {
    let library: Opened;

    beforeAll(async () => {
      const { user, password } = postgresOptions(database.url, writer);
      const url = new URL(database.url);
      url.username = user;
      url.password = encodeURIComponent(password ?? '');
      library = await open(url.href);
    });
    afterAll(() => library.close());

    it('writes an event when the transaction commits', async () => {
      const id = await library.inTransaction({ trace: false }, async ({ publish, change }) => {
        await change(1);
        return publish(MESSAGE);
      });
      expect(await orders()).toBe(1);
      const [row, ...others] = await rowsOf('outbox');
      expect(others).toEqual([]);
      expect(row).toMatchObject({ id, aggregatetype: 'order', aggregateid: '42', type: 'order.created' });
      expect(row).toMatchObject({ payload: MESSAGE.payload, headers: MESSAGE.headers });
      expect(row?.created_at).toBeInstanceOf(Date);
    });

    it('writes nothing when it rolls back', async () => {
      const rolledBack = library.inTransaction({}, async ({ publish, publishAll, change }) => {
        await change(1);
        await publish(MESSAGE);
        await publishAll([MESSAGE, MESSAGE]);
        throw new Error('the order is refused');
      });
      await expect(rolledBack).rejects.toThrow('the order is refused');
      expect(await orders()).toBe(0);
      expect(await rowsOf('outbox')).toEqual([]);
    });

    it('lets errors of the database through', async () => {
      const refused = library.inTransaction({}, async ({ publish, change }) => {
        await change(1);
        await publish({ ...MESSAGE, type: 'order.refunded' });
      });
      const error: unknown = await refused.catch((thrown: unknown) => thrown);
      // where it stands is the library's own way
      expect(inspect(error, { depth: 8 })).toMatch(/'23514'/);
      expect(await orders()).toBe(0);
    });

    it.each(['40001', '40P01'])('fails by %s such that the transaction is repeated', async (code) => {
      const error: unknown = await library
        .inTransaction({}, ({ publish }) => publish({ ...MESSAGE, type: `contended:${code}` }))
        .catch((thrown: unknown) => thrown);
      expect(classifyTransactionError(error, false)).toBe('transient');
    });

    it('refuses what is no transaction, and writes nothing', async () => {
      for (const [name, publish] of Object.entries(library.outside))
        await expect(publish(MESSAGE), name).rejects.toMatchObject({ name: 'OutboxError', code: 'no_transaction' });
      expect(await rowsOf('outbox')).toEqual([]);
    });

    it.each<[PayloadType, PayloadKind, unknown, unknown]>([
      ['jsonb', 'json', [1.5, { a: null }, '"'], [1.5, { a: null }, '"']],
      ['json', 'json', { b: 1, a: 'é' }, { b: 1, a: 'é' }],
      ['json', 'json', 'just text', 'just text'],
      ['text', 'text', 'a "text" \\ with\nlines', 'a "text" \\ with\nlines'],
      ['text', 'json', { b: 1, a: [2] }, '{"b":1,"a":[2]}'],
      ['bytea', 'bytea', Buffer.from([0, 255, 92, 34, 39]), Buffer.from([0, 255, 92, 34, 39])],
      ['bytea', 'bytea', new Uint8Array(0), Buffer.alloc(0)],
    ])('writes a payload of %s as %s: %j', async (type, payload, given, expected) => {
      const options = { table: tableOf(type), payload };
      await library.inTransaction(options, async ({ publishAll }) =>
        publishAll([
          { ...MESSAGE, payload: given },
          { ...MESSAGE, payload: null },
        ]),
      );
      const rows = await rowsOf(tableOf(type));
      expect(rows.map((row) => row.payload)).toEqual([expected, null]);
    });

    it('writes into a table with other columns, of other types and with names to be quoted', async () => {
      const tenant = '0b6f6a0e-4f0c-4c39-b3b5-6d1a1f3f0a52';
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const options = { ...FOREIGN.options, table: FOREIGN.table, trace: () => ({ traceparent }) };
      const message = { ...MESSAGE, payload: 'plain text', extra: { 'tenant $1': tenant } };
      const id = await library.inTransaction(options, ({ publish }) => publish(message));
      const [row] = await rowsOf(FOREIGN.table, 'seq');
      expect(row).toMatchObject({ event_id: id, 'Kind ?': 'order.created', Key: '42', 'pay:load': 'plain text' });
      expect(row).toMatchObject({ meta: MESSAGE.headers, 'tenant $1': tenant, at: expect.any(Date) as Date });
      expect(JSON.parse(String(row?.tracingspancontext))).toEqual({ traceparent });
    });

    it('gives out the ids that the database makes, in order', async () => {
      const ids = await library.inTransaction({ table: 'app.numbered', ids: 'database' }, ({ publishAll }) =>
        publishAll(Array.from({ length: 20 }, (_, i) => ({ ...MESSAGE, aggregateId: `${i}` }))),
      );
      const rows = await rowsOf('app.numbered', 'id');
      expect(rows.map(({ id, aggregateid }) => [id, aggregateid])).toEqual(ids.map((id, i) => [id, `${i}`]));
    });

    it('writes batches of one and of ten thousand, in the order given', async () => {
      const messages = Array.from({ length: 10_000 }, (_, i) => ({
        ...MESSAGE,
        aggregateId: `${i % 7}`,
        payload: { i },
      }));
      const [[only], ids] = await library.inTransaction({}, async ({ publishAll }) => [
        await publishAll([{ ...MESSAGE, payload: { i: -1 } }]),
        await publishAll(messages),
      ]);
      const rows = await rowsOf('outbox');
      expect(rows.map(({ id }) => id)).toEqual([only, ...ids]);
      expect(rows.map(({ payload }) => (payload as { i: number }).i)).toEqual(rows.map((_, place) => place - 1));
    });
  });
});
