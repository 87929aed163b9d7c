/** The function that `init` makes for writers in other languages, called as a role that may only write. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyInit, type InitOptions, initScript, planInit } from '../../src/postgres/init.ts';
import { PAYLOAD_TYPES } from '../../src/postgres/migrate.ts';
import { connectAdmin, createRole, DEFAULT_COLUMNS, dropRoles, initOptions } from '../support/outbox.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';

describeWithService('postgres', 'the function for writers', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let writer = '';

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    writer = await createRole(admin, 'writer');
  });
  afterAll(async () => {
    await dropRoles(admin, [writer]);
    await admin.end();
  });

  /** Sets up as asked for, with grants for the writer. */
  async function setUp(options: Partial<InitOptions> = {}): Promise<InitOptions> {
    const complete = initOptions({ writerRole: writer, publication: null, ...options });
    await applyInit(admin, complete, true);
    return complete;
  }

  /** Calls as the writer, in a transaction, and gives back what the call returns. */
  async function call(expression: string, values: readonly unknown[] = [], role = writer): Promise<unknown> {
    await admin.query(`BEGIN; SET LOCAL ROLE ${role}`);
    try {
      const { rows } = await admin.query<{ id: unknown }>(`SELECT ${expression} AS id`, [...values]);
      await admin.query('COMMIT');
      return rows[0]?.id;
    } catch (error) {
      await admin.query('ROLLBACK');
      throw error;
    }
  }

  const rowsOf = async (table: string): Promise<Record<string, unknown>[]> =>
    (await admin.query<Record<string, unknown>>(`SELECT * FROM ${table} ORDER BY 1`)).rows;

  describe.each(PAYLOAD_TYPES)('with a payload of %s', (payload) => {
    const given = payload === 'bytea' ? Buffer.from([0, 255]) : '{"b":1}';
    const expected = { json: { b: 1 }, jsonb: { b: 1 }, text: given, bytea: given }[payload];

    it('writes an event, and gives back its id', async () => {
      const { mapping } = await setUp({ payload });
      const name = `${mapping.schema}.outbox_publish`;
      const made = await call(`${name}('order', '42', 'order.created', $1, '{"trace": "t-1"}')`, [given]);
      const own = '0b6f6a0e-4f0c-4c39-b3b5-6d1a1f3f0a52';
      const named = `aggregate_type => 'order', aggregate_id => '42', type => 'order.deleted', payload => NULL, id => $1`;
      expect(await call(`${name}(${named})`, [own])).toBe(own);
      const event = { aggregatetype: 'order', aggregateid: '42', created_at: expect.any(Date) as Date };
      expect(await rowsOf(`${mapping.schema}.outbox`)).toEqual([
        { ...event, position: '1', id: made, type: 'order.created', payload: expected, headers: { trace: 't-1' } },
        { ...event, position: '2', id: own, type: 'order.deleted', payload: null, headers: null },
      ]);
    });
  });

  it('is part of the transaction of its caller', async () => {
    const { mapping } = await setUp();
    await admin.query(`BEGIN; SELECT ${mapping.schema}.outbox_publish('order', '42', 'x', '{}'); ROLLBACK`);
    expect(await rowsOf(`${mapping.schema}.outbox`)).toEqual([]);
  });

  it('may be called by the writer, and by nobody else', async () => {
    const { mapping } = await setUp();
    const other = await createRole(admin, 'other');
    try {
      await admin.query(`GRANT USAGE ON SCHEMA ${mapping.schema} TO ${other};
        GRANT INSERT ON ${mapping.schema}.outbox TO ${other}`);
      const expression = `${mapping.schema}.outbox_publish('order', '42', 'x', '{}')`;
      await expect(call(expression, [], other)).rejects.toMatchObject({ code: '42501' });
      // as its caller, not as its owner
      await admin.query(`REVOKE INSERT ON ${mapping.schema}.outbox FROM ${other};
        GRANT EXECUTE ON FUNCTION ${mapping.schema}.outbox_publish TO ${other}`);
      await expect(call(expression, [], other)).rejects.toThrow('permission denied for table outbox');
    } finally {
      await dropRoles(admin, [other]);
    }
  });

  it('is not led astray by the search path of its caller', async () => {
    const { mapping } = await setUp();
    const trap = uniqueName('trap');
    await admin.query(`CREATE SCHEMA ${trap}; GRANT USAGE ON SCHEMA ${trap} TO ${writer};
      CREATE FUNCTION ${trap}.gen_random_uuid() RETURNS uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$;
      BEGIN; SET LOCAL search_path = ${trap}, pg_catalog; SELECT ${mapping.schema}.outbox_publish('o', '1', 'x', '{}'); COMMIT`);
    expect(await rowsOf(`${mapping.schema}.outbox`)).toMatchObject([
      { id: expect.stringMatching(/^.{36}$/) as string },
    ]);
  });

  it('writes into a table that was there, with other columns of other types', async () => {
    const schema = uniqueName('app');
    await admin.query(`CREATE SCHEMA ${schema}; CREATE TYPE ${schema}.kind AS ENUM ('created');
      CREATE TABLE ${schema}."Out'Box" (seq bigserial PRIMARY KEY, event_id varchar(36) NOT NULL, kind ${schema}.kind NOT NULL,
        "Key" bigint NOT NULL, body text, at timestamp NOT NULL, note text NOT NULL DEFAULT '-')`);
    const columns = {
      ...DEFAULT_COLUMNS,
      position: 'seq',
      id: 'event_id',
      aggregatetype: null,
      aggregateid: 'Key',
      type: 'kind',
      payload: 'body',
      headers: null,
      createdAt: 'at',
    };
    await setUp({ mapping: { schema, name: "Out'Box", columns, extra: [] } });
    const id = await call(`${schema}."Out'Box_publish"(42, 'created', 'plain')`);
    expect(await rowsOf(`${schema}."Out'Box"`)).toEqual([
      { seq: '1', event_id: id, kind: 'created', Key: '42', body: 'plain', at: expect.any(Date) as Date, note: '-' },
    ]);
  });

  it.each([
    ['ids that it cannot make', 'id bigserial, tenant text', 'it could not make ids of type bigint for column id'],
    ['a column that it knows nothing of', 'id uuid NOT NULL, tenant text NOT NULL', 'column tenant has no default'],
  ])('is not made for a table with %s, and init says so', async (_, columns, expected) => {
    const schema = uniqueName('app');
    await admin.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.outbox (position bigserial PRIMARY KEY, ${columns},
      aggregatetype text, aggregateid text, type text, payload jsonb, headers jsonb, created_at timestamptz)`);
    const mapping = { schema, name: 'outbox', columns: DEFAULT_COLUMNS, extra: [] };
    const { statements, notes } = await planInit(
      admin,
      initOptions({ mapping, writerRole: writer, publication: null }),
    );
    expect(notes).toContainEqual(expect.stringContaining(`no function outbox_publish: ${expected}`));
    expect(statements.filter(({ sql }) => sql.includes('FUNCTION'))).toEqual([]);
  });

  it('is made once, is in the script of a dry run, and leaves a function of somebody else alone', async () => {
    const options = initOptions({ writerRole: writer, publication: null });
    const script = initScript(await planInit(admin, options));
    expect(script).toContain(`CREATE FUNCTION "${options.mapping.schema}"."outbox_publish"`);
    await admin.query(script);
    expect((await planInit(admin, options)).statements).toEqual([]);

    const name = `${options.mapping.schema}.outbox_publish`;
    await admin.query(`DROP FUNCTION ${name};
      CREATE FUNCTION ${name}(text) RETURNS text LANGUAGE sql AS 'SELECT $1'; REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`);
    const { statements, notes } = await planInit(admin, options);
    expect(statements).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(`there is another function ${name}`)]);
  });

  it('comes to an outbox that an older relay has set up', async () => {
    const options = await setUp();
    const { schema } = options.mapping;
    await admin.query(`DROP FUNCTION ${schema}.outbox_publish`);
    const plan = await planInit(admin, options);
    expect(plan.needsConsent).toBe(true);
    expect(plan.statements.map(({ purpose }) => purpose)).toEqual([
      'function outbox_publish, for writers',
      `privileges of ${writer}`,
    ]);
    await applyInit(admin, options, true);
    await call(`${schema}.outbox_publish('order', '42', 'x', '{}')`);
    expect(await rowsOf(`${schema}.outbox`)).toHaveLength(1);
  });
});
