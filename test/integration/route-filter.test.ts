import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { columnLayout, type OutboxRow } from '../../src/core/row.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import { binaryExpression, textExpression } from '../../src/postgres/column-text.ts';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../../src/postgres/identifier.ts';
import { createRouter } from '../../src/route/router.ts';
import { createRowFilters } from '../../src/route/row-filters.ts';
import type { RouteSpec } from '../../src/route/spec.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { routeOf } from '../unit/route-support.ts';

/** Per type: SQL expressions for its values. The texts that Postgres prints for them are what routes match. */
const COLUMNS: readonly (readonly [type: string, values: readonly string[]])[] = [
  ['text', ["''", "'a'", "'A'", "'a '", String.raw`E'it\'s \\ "x"\n'`, "'ä'", String.raw`U&'a\0308'`]],
  ['character varying(20)', ["'a'", "'a '", "''"]],
  ['character(5)', ["'a'", "'a   '", "''", "'abcde'"]],
  ['"char"', ["'a'", "''", String.raw`'\200'`]],
  ['name', ["'a'", "'A'"]],
  ['boolean', ['true', 'false']],
  ['bytea', [String.raw`'\x'`, String.raw`'\x00ff'`, String.raw`'\x61'`]],
  ['uuid', ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]],
  ['numeric', ['1', '1.0', '1.00', "'NaN'", '1e30']],
  ['numeric(10,2)', ['1', '1.005']],
  ['double precision', ['0.1', "'-0'", "'Infinity'", '1e300', '0.1::float8 + 0.2::float8']],
  ['real', ['0.1', '16777217']],
  ['timestamp with time zone', ["'2024-02-29 12:00:00.5+02'", "'infinity'"]],
  ['interval', ["'1 month 2 days 03:04:05.6'"]],
  ['jsonb', ['\'{"b": 1, "a": 1.0}\'', "'null'", '\'"a"\'']],
  ['json', ['\'{"b":1,  "a":1.0}\'']],
  ['text[]', ["'{}'", '\'{a,NULL,"b c"}\'']],
  ['inet', ["'10.0.0.1'", "'10.0.0.0/8'"]],
  ['mood', ["'happy'", "'sad'"]],
  ['pair', ['ROW(NULL, NULL)', "ROW('a', NULL)"]],
  ['email', ["'A@b.example'", "'a@b.example'"]],
];

const DESTINATIONS = ['first', 'second', 'third'];

describeWithService('postgres', 'which rows a pass reads for a destination', () => {
  const database = freshDatabase();
  let admin: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    await admin.query(`
      SET timezone = 'UTC';
      CREATE TYPE mood AS ENUM ('sad', 'happy');
      CREATE TYPE pair AS (a text, b text);
      CREATE DOMAIN email AS text`);
  });
  afterAll(() => admin.end());

  const tableFor = (name: string, type: string): OutboxTable => ({
    schema: 'public',
    name,
    position: { name: 'position', type: 'bigint' },
    id: { name: 'id', type: 'uuid' },
    createdAt: null,
    reads: [
      { name: 'What "it" is', type },
      { name: 'kind', type: 'text' },
      { name: 'payload', type: 'text' },
    ],
    layout: columnLayout(['what', 'kind', 'payload']),
  });

  const createTable = async (table: OutboxTable, type: string): Promise<void> => {
    const columns = table.reads.map(
      (column) =>
        `${quoteIdentifier(column.name)} ${column.name === 'kind' || column.name === 'payload' ? 'text' : type}`,
    );
    await admin.query(
      `CREATE TABLE ${quoteTable(table)} (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
         id uuid NOT NULL DEFAULT gen_random_uuid(), ${columns.join(', ')})`,
    );
  };

  const readRows = async (table: OutboxTable): Promise<readonly OutboxRow[]> => {
    const values = table.reads.map((column) => `convert_to(${textExpression(column)}, 'UTF8')`);
    const bytes = table.reads.map((column) => (column.type === 'bytea' ? binaryExpression(column) : null));
    const { rows } = await admin.query<{ position: string; id: string; values: (Buffer | null)[] }>(
      `SELECT position, id, ARRAY[${values.map((value, at) => bytes[at] ?? value).join(', ')}] AS values
         FROM ${quoteTable(table)} o ORDER BY position`,
    );
    return rows.map(({ position, id, values: each }) => ({
      position: BigInt(position),
      id,
      values: each,
      lane: 'table',
      xid: null,
      since: NaN,
    }));
  };

  const positionsOf = async (table: OutboxTable, filter: string | null): Promise<readonly bigint[]> => {
    const { rows } = await admin.query<{ position: string }>(
      `SELECT position FROM ${quoteTable(table)} o WHERE ${filter ?? 'true'} ORDER BY position`,
    );
    return rows.map(({ position }) => BigInt(position));
  };

  /** The filters must pick for each destination exactly the rows that the router gives to it. */
  const compare = async (
    specs: readonly RouteSpec[],
    table: OutboxTable,
    rows: readonly OutboxRow[],
  ): Promise<void> => {
    const router = createRouter(specs, table, DESTINATIONS);
    const filters = createRowFilters(specs, table, DESTINATIONS, { textExpression, quoteLiteral });
    for (const destination of DESTINATIONS) {
      const routed = rows.filter((row) => router.route(row).destination === destination);
      const filter = filters.filterSql(destination);
      expect(await positionsOf(table, filter), `${destination}: ${filter}`).toEqual(routed.map((row) => row.position));
    }
  };

  const specOf = (match: RouteSpec['match'], destination: string): RouteSpec =>
    routeOf({ match, destination, address: { kind: 'topic', topic: 't' }, key: null });

  test.each(COLUMNS)('matches %s as the relay does', async (type, values) => {
    const table = tableFor(`of ${type}`, type);
    await createTable(table, type);
    const [column] = table.reads;
    for (const value of [...values, 'NULL']) {
      await admin.query(
        `INSERT INTO ${quoteTable(table)} (${quoteIdentifier(column!.name)}, kind) VALUES (${value}, 'a'), (${value}, 'b'), (${value}, NULL)`,
      );
    }
    const rows = await readRows(table);
    const texts = new Set(rows.map((row) => textOf(table, row)));
    expect(texts.size).toBeGreaterThan(1);
    for (const text of new Set([...texts, 'a', 'true', 'false', '', null])) {
      await compare([specOf({ what: [text] }, 'second')], table, rows);
      await compare(
        [
          specOf({ what: [text, null], kind: ['a', null] }, 'third'),
          specOf({ what: [text] }, 'second'),
          specOf({ kind: ['b'] }, 'first'),
        ],
        table,
        rows,
      );
      await compare([specOf({ what: [text] }, 'first'), specOf({}, 'third')], table, rows);
    }
  });

  test('compares byte by byte whatever the collation of the column holds for equal', async () => {
    await admin.query(`CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`);
    const table = tableFor('blind', 'text');
    await createTable(table, 'text COLLATE blind');
    await admin.query(`INSERT INTO ${quoteTable(table)} ("What ""it"" is") VALUES ('order'), ('Order'), ('ÖRDER')`);
    const rows = await readRows(table);
    await compare([specOf({ what: ['order'] }, 'second')], table, rows);
    expect(await positionsOf(table, `o."What ""it"" is" = 'order'`)).toHaveLength(3);
  });
});

/** The text that templates and matches see. */
function textOf(table: OutboxTable, row: OutboxRow): string | null {
  const spec = routeOf({ destination: 'first', address: { kind: 'topic', topic: 't' }, key: '${what}' });
  return createRouter([spec], table, ['first']).route(row).message?.key ?? null;
}
