import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { applyInit, type InitOptions, initScript, planInit } from '../../src/postgres/init.ts';
import { LATEST_VERSION, MIGRATIONS, PAYLOAD_TYPES, schemaState } from '../../src/postgres/migrate.ts';
import { connectAdmin, createOutbox, createRole, dropRoles, initOptions, tableMapping } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

describeWithService('postgres', 'init', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let relayRole: string;
  let writerRole: string;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    relayRole = await createRole(admin, 'relay', 'REPLICATION');
    writerRole = await createRole(admin, 'writer');
  });
  afterAll(async () => {
    await dropRoles(admin, [relayRole, writerRole]);
    await admin.end();
  });

  const everything = (): InitOptions => initOptions({ relayRole, writerRole });
  const insert = async (client: pg.Client, { mapping }: InitOptions): Promise<string> => {
    const { rows } = await client.query<{ position: string }>(
      `INSERT INTO ${quoteTable(mapping)} (aggregatetype, aggregateid, type, payload) VALUES ('t', 'k', 'e', '{}') RETURNING position`,
    );
    return rows[0]!.position;
  };

  test('makes everything, and then finds nothing to do', async () => {
    const options = everything();
    const first = await applyInit(admin, options, false);
    expect(first).toMatchObject({ applied: true, needsConsent: false, notes: [] });
    expect(await insert(admin, options)).toBe('1');
    const again = await applyInit(admin, options, false);
    expect(again).toMatchObject({ applied: true, needsConsent: false, statements: [], notes: [] });
    expect(await schemaState(admin, options.mapping)).toEqual({ pending: [], version: LATEST_VERSION });
  });

  test('eight at once: one does it, and all succeed', async () => {
    const options = everything();
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectAdmin(database.url)));
    const results = await Promise.all(clients.map((client) => applyInit(client, options, false)));
    await Promise.all(clients.map((client) => client.end()));
    expect(results.filter(({ statements }) => statements.length > 0)).toHaveLength(1);
    expect(await insert(admin, options)).toBe('1');
  });

  test.each(PAYLOAD_TYPES)('payload of type %s', async (payload) => {
    const { mapping } = await createOutbox(admin, { payload });
    const { rows } = await admin.query<{ type: string }>(
      `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'payload'`,
      [quoteTable(mapping)],
    );
    expect(rows[0]?.type).toBe(payload);
  });

  test('the dry run prints a script that runs as it stands and leaves nothing to do', async () => {
    const options = everything();
    const plan = await planInit(admin, options);
    expect((await schemaState(admin, options.mapping)).version).toBe(0);
    await admin.query(initScript(plan));
    const left = await planInit(admin, options);
    expect(left.statements).toEqual([]);
    expect(initScript(left)).toContain('Nothing to do');
  });

  test('nasty names', async () => {
    const schema = `${tableMapping().schema} "s'; DROP`;
    const mapping = { ...tableMapping({}, schema), name: `Out"box $$ {{parked}} \\ ${'ü'.repeat(15)}` };
    const options = initOptions({ mapping, relayRole, writerRole, publication: `pub "'${schema}` });
    await admin.query(initScript(await planInit(admin, options)));
    expect((await planInit(admin, options)).statements).toEqual([]);
    expect(await insert(admin, options)).toBe('1');
    expect(Buffer.byteLength(companionTables(mapping).schemaVersion.name)).toBeLessThanOrEqual(63);
  });

  test('upgrades from each earlier version', async () => {
    for (let version = 1; version < LATEST_VERSION; version++) {
      const options = await createOutbox(admin);
      const { mapping } = options;
      const later = MIGRATIONS.filter((migration) => migration.version > version);
      const names = { outbox: mapping, ...companionTables(mapping) };
      const lease = quoteTable(names.lease);
      // the last one only alters a table
      await admin.query(`ALTER TABLE ${lease} DROP COLUMN shards, DROP COLUMN shard_by`);
      for (const { creates, version: made } of later)
        if (made < LATEST_VERSION) await admin.query(`DROP TABLE ${quoteTable(names[creates])}`);
      await admin.query(`DELETE FROM ${quoteTable(names.schemaVersion)} WHERE version > $1`, [version]);
      expect((await schemaState(admin, mapping)).version).toBe(version);

      await applyInit(admin, options, true);

      expect(await schemaState(admin, mapping)).toEqual({ pending: [], version: LATEST_VERSION });
      expect((await planInit(admin, options)).statements).toEqual([]);
    }
  });

  test('repairs a table that was dropped although its migration is recorded', async () => {
    const options = await createOutbox(admin);
    const { parked } = companionTables(options.mapping);
    await admin.query(`DROP TABLE ${quoteTable(parked)}`);
    await applyInit(admin, options, true);
    await expect(admin.query(`SELECT FROM ${quoteTable(parked)}`)).resolves.toBeDefined();
  });

  test('tells of tables made by a newer relay, and leaves them alone', async () => {
    const options = await createOutbox(admin);
    const { schemaVersion } = companionTables(options.mapping);
    await admin.query(`INSERT INTO ${quoteTable(schemaVersion)} (version, name) VALUES (999, 'future')`);
    const plan = await planInit(admin, options);
    expect(plan.statements).toEqual([]);
    expect(plan.notes.join()).toContain('newer relay');
  });

  test('refuses a role that does not exist, with the statement that makes it', async () => {
    const attempt = applyInit(admin, initOptions({ relayRole: 'nobody here' }), true);
    await expect(attempt).rejects.toMatchObject({
      code: 'postgres_schema',
      remedy: expect.stringContaining('CREATE ROLE "nobody here"') as string,
    });
  });

  test('a failure half-way leaves nothing behind', async () => {
    const options = initOptions();
    await admin.query(`CREATE SCHEMA ${options.mapping.schema}`);
    // The name of the last of the relay's tables is taken by something that is not a table.
    await admin.query(`CREATE TYPE ${quoteTable(companionTables(options.mapping).lease)} AS ENUM ('a')`);
    await expect(applyInit(admin, options, true)).rejects.toMatchObject({ name: 'RelayError' });
    expect((await schemaState(admin, options.mapping)).version).toBe(0);
    await expect(admin.query(`SELECT FROM ${quoteTable(options.mapping)}`)).rejects.toMatchObject({ code: '42P01' });
  });
});

describeWithService('postgres', 'init on an existing table', () => {
  const database = freshDatabase();
  let admin: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
  });
  afterAll(() => admin.end());

  const columns = `id uuid NOT NULL DEFAULT gen_random_uuid(), aggregatetype text NOT NULL, aggregateid text NOT NULL,
    type text NOT NULL, payload jsonb, headers jsonb, created_at timestamptz NOT NULL DEFAULT clock_timestamp()`;
  const existing = async (order: string, suffix = ''): Promise<InitOptions> => {
    const options = initOptions();
    await admin.query(`CREATE SCHEMA ${options.mapping.schema}`);
    await admin.query(`CREATE TABLE ${quoteTable(options.mapping)} (${order} ${columns}) ${suffix}`);
    return options;
  };
  const insertAt = (options: InitOptions, key: string, time: string): Promise<unknown> =>
    admin.query(
      `INSERT INTO ${quoteTable(options.mapping)} (aggregatetype, aggregateid, type, created_at) VALUES ('t', $1, 'e', $2)`,
      [key, time],
    );
  const keysInOrder = async (options: InitOptions): Promise<string[]> => {
    const { rows } = await admin.query<{ aggregateid: string }>(
      `SELECT aggregateid FROM ${quoteTable(options.mapping)} ORDER BY position`,
    );
    return rows.map(({ aggregateid }) => aggregateid);
  };

  test('changes nothing without consent, and says what it would', async () => {
    const options = await existing('position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,');
    const refused = await applyInit(admin, options, false);
    expect(refused).toMatchObject({ applied: false, needsConsent: true });
    expect(refused.statements.length).toBeGreaterThan(0);
    expect((await schemaState(admin, options.mapping)).version).toBe(0);

    const done = await applyInit(admin, options, true);
    expect(done).toMatchObject({ applied: true, statements: refused.statements });
    expect(await planInit(admin, options)).toMatchObject({ statements: [], needsConsent: false });
  });

  test('adds a missing order column to an empty table', async () => {
    const options = await existing('');
    expect(await applyInit(admin, options, true)).toMatchObject({ applied: true, notes: [] });
    await insertAt(options, 'a', 'now');
    await insertAt(options, 'b', 'now');
    expect(await keysInOrder(options)).toEqual(['a', 'b']);
    expect((await planInit(admin, options)).statements).toEqual([]);
  });

  test('the statements that add an order column refuse when rows came in between', async () => {
    const options = await existing('');
    const script = initScript(await planInit(admin, options));
    await insertAt(options, 'a', 'now');
    await expect(admin.query(script)).rejects.toThrow('not empty any more');
    await admin.query('ROLLBACK');
  });

  test.each([
    ['', ''],
    ['PARTITION BY LIST (aggregatetype)', 'partitioned'],
  ])('prints the backfill for a table with rows, by the named column %s', async (suffix) => {
    const options = await existing('', suffix);
    if (suffix !== '') {
      await admin.query(
        `CREATE TABLE ${options.mapping.schema}.leaf PARTITION OF ${quoteTable(options.mapping)} DEFAULT`,
      );
    }
    await insertAt(options, 'second', '2024-01-02');
    await insertAt(options, 'first', '2024-01-01');
    const result = await applyInit(admin, { ...options, backfillBy: 'created_at' }, true);
    expect(result.notes).toHaveLength(1);
    await expect(keysInOrder(options)).rejects.toMatchObject({ code: '42703' });

    await admin.query(result.notes[0]!.slice(result.notes[0]!.indexOf('BEGIN;')));
    await insertAt(options, 'third', '2023-01-01');
    expect(await keysInOrder(options)).toEqual(['first', 'second', 'third']);
    expect(await planInit(admin, options)).toMatchObject({ statements: [], notes: [] });
  });

  test('asks for a column to order by where none is known', async () => {
    const options = await existing('');
    await insertAt(options, 'a', 'now');
    const mapping = { ...options.mapping, columns: { ...options.mapping.columns, createdAt: null } };
    const { notes } = await planInit(admin, { ...options, mapping });
    expect(notes.join()).toContain('name the column');
  });

  test('brings a publication that is there into order', async () => {
    const options = await existing('position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,');
    await admin.query(`CREATE PUBLICATION ${options.publication!} WITH (publish = 'update')`);
    await applyInit(admin, options, true);
    const { rows } = await admin.query<{ pubinsert: boolean; pubupdate: boolean; tables: number }>(
      `SELECT pubinsert, pubupdate, (SELECT count(*)::int FROM pg_publication_tables t WHERE t.pubname = p.pubname) AS tables
       FROM pg_publication p WHERE pubname = $1`,
      [options.publication],
    );
    expect(rows).toEqual([{ pubinsert: true, pubupdate: true, tables: 1 }]);
  });

  test('does not make a table of other columns than configured', async () => {
    const options = initOptions({ mapping: tableMapping({ payload: 'body' }) });
    await expect(applyInit(admin, options, true)).rejects.toMatchObject({
      code: 'postgres_schema',
      message: expect.stringContaining('payload: body') as string,
    });
  });
});
