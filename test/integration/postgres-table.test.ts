import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../../src/postgres/identifier.ts';
import { inspectTable, type TableMapping } from '../../src/postgres/table.ts';
import { connectAdmin, createOutbox, tableMapping } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

describeWithService('postgres', 'the outbox table in the catalog', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let mapping: TableMapping;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    mapping = (await createOutbox(admin)).mapping;
  });
  afterAll(() => admin.end());

  const make = async (columns: string): Promise<TableMapping> => {
    const made = tableMapping();
    await admin.query(`CREATE SCHEMA ${made.schema}; CREATE TABLE ${quoteTable(made)} ${columns}`);
    return made;
  };

  test('the default table', async () => {
    const table = await inspectTable(admin, { ...mapping, extra: ['id', 'created_at', 'type'] });
    expect(table).toMatchObject({
      schema: mapping.schema,
      name: 'outbox',
      position: { name: 'position', type: 'bigint' },
      id: { name: 'id', type: 'uuid' },
      createdAt: { name: 'created_at', type: 'timestamp with time zone' },
    });
    expect(table.layout.names).toEqual([
      ...['aggregatetype', 'aggregateid', 'type', 'payload', 'headers', 'id', 'created_at'],
    ]);
    expect(table.reads.map(({ type }) => type)).toEqual([
      ...['text', 'text', 'text', 'jsonb', 'jsonb', 'uuid', 'timestamp with time zone'],
    ]);
  });

  test('a mapped table: roles by their names, other columns by their own, dropped ones left out', async () => {
    const made = await make(`(gone int, seq int, "Event Id" char(36), aggregate varchar(10), body bytea, tenant text)`);
    await admin.query(`ALTER TABLE ${quoteTable(made)} DROP COLUMN gone`);
    const columns = { position: 'seq', id: 'Event Id', aggregateid: 'aggregate', payload: 'body' };
    const none = { aggregatetype: null, type: null, headers: null, createdAt: null };
    const table = await inspectTable(admin, { ...made, columns: { ...columns, ...none }, extra: ['tenant'] });
    expect(table.layout.names).toEqual(['aggregateid', 'payload', 'tenant']);
    expect(table.reads).toEqual([
      { name: 'aggregate', type: 'character varying(10)' },
      { name: 'body', type: 'bytea' },
      { name: 'tenant', type: 'text' },
    ]);
    expect(table.id).toEqual({ name: 'Event Id', type: 'character(36)' });
    expect(table.createdAt).toBeNull();
    await expect(inspectTable(admin, { ...made, columns: { ...columns, ...none }, extra: ['gone'] })).rejects.toThrow(
      'no column gone',
    );
  });

  test('a partitioned table', async () => {
    const made = await make(`(position bigint, id uuid, aggregatetype text, aggregateid text, type text, payload json,
      headers jsonb, created_at timestamp) PARTITION BY RANGE (created_at)`);
    expect((await inspectTable(admin, made)).createdAt?.type).toBe('timestamp without time zone');
  });

  test('a missing table names the nearest, and the same table elsewhere', async () => {
    await expect(inspectTable(admin, { ...mapping, name: 'outbux' })).rejects.toMatchObject({
      code: 'postgres_schema',
      message: expect.stringContaining(`did you mean ${mapping.schema}.outbox?`) as string,
    });
    await admin.query('CREATE TABLE only_here ()');
    await expect(inspectTable(admin, { ...mapping, name: 'only_here' })).rejects.toThrow(
      'did you mean public.only_here?',
    );
  });

  test('a missing column names the nearest', async () => {
    const columns = { ...mapping.columns, payload: 'Payload' };
    await expect(inspectTable(admin, { ...mapping, columns })).rejects.toThrow(
      'no column Payload (did you mean payload?)',
    );
    await expect(inspectTable(admin, { ...mapping, extra: ['nothing_like_it'] })).rejects.toThrow(
      'it has position, id,',
    );
  });

  test.each([
    ['a view', 'v', (name: string, outbox: string) => `CREATE VIEW ${name} AS SELECT * FROM ${outbox}`],
    [
      'a materialised view',
      'm',
      (name: string, outbox: string) => `CREATE MATERIALIZED VIEW ${name} AS SELECT * FROM ${outbox}`,
    ],
    ['a sequence', 's', (name: string) => `CREATE SEQUENCE ${name}`],
    ['unlogged', 'u', (name: string, outbox: string) => `CREATE UNLOGGED TABLE ${name} (LIKE ${outbox})`],
  ])('%s is refused', async (what, name, create) => {
    const other = { ...mapping, name };
    await admin.query(create(quoteTable(other), quoteTable(mapping)));
    await expect(inspectTable(admin, other)).rejects.toMatchObject({
      code: 'postgres_schema',
      message: expect.stringContaining(`is ${what}`) as string,
    });
  });

  test.each([
    ['a generated payload', `payload text GENERATED ALWAYS AS (aggregateid || '!') STORED`, 'generated column'],
    ['a payload of a domain over bytea', 'payload hidden_bytes', 'domain over bytea'],
  ])('%s is refused', async (_, payload, message) => {
    await admin.query('DROP DOMAIN IF EXISTS hidden_bytes CASCADE; CREATE DOMAIN hidden_bytes AS bytea');
    const made = await make(`(position bigint, id uuid, aggregatetype text, aggregateid text, type text, headers jsonb,
      created_at timestamptz, ${payload})`);
    await expect(inspectTable(admin, made)).rejects.toThrow(message);
  });

  test('positions must be integers and times must be timestamps', async () => {
    const columns = mapping.columns;
    const position = { ...columns, position: 'aggregateid' };
    await expect(inspectTable(admin, { ...mapping, columns: position })).rejects.toThrow('an integer type is needed');
    const createdAt = { ...columns, createdAt: 'type' };
    await expect(inspectTable(admin, { ...mapping, columns: createdAt })).rejects.toThrow('a timestamp type is needed');
  });

  test('quoted names and texts come back from the server as they were', async () => {
    const nasty = fc.string({
      unit: fc.constantFrom('"', "'", '\\', '$', ';', '-', '.', ' ', '\n', 'a', 'A', 'ü', '𝄞', '{{outbox}}'),
    });
    const name = nasty.filter((text) => text !== '' && Buffer.byteLength(text) <= 63);
    await fc.assert(
      fc.asyncProperty(name, nasty, fc.boolean(), async (column, text, standard) => {
        await admin.query(`SET standard_conforming_strings = ${standard ? 'on' : 'off'}`);
        const { rows } = await admin.query<Record<string, string>>(
          `SELECT ${quoteLiteral(text)} AS ${quoteIdentifier(column)}`,
        );
        expect(rows).toEqual([{ [column]: text }]);
      }),
      { numRuns: 300 },
    );
  });
});
