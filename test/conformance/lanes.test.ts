/** Both lanes give the same bytes for the same row, whatever its types. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { streamSource } from '../../src/capture/stream/stream-source.ts';
import { PostgresTableReader } from '../../src/capture/table/reader.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import { inspectTable } from '../../src/postgres/table.ts';
import { NO_FILTERS } from '../../src/postgres/unpublished-rows.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { Recorder, streamOptions } from '../support/stream-harness.ts';
import * as harness from '../support/table-harness.ts';

const never = new AbortController().signal;

/** Column types and values of them, as SQL; null is among the values of each. */
const TYPES: readonly (readonly [type: string, ...values: string[]])[] = [
  ['text', `''`, `'ä€😀'`, `repeat('long ', 5000)`],
  ['character varying(10)', `'short '`],
  ['character(8)', `'padded'`, `''`],
  ['"char"', `'x'`, `''`],
  ['name', `'name'`],
  ['boolean', 'true', 'false'],
  ['smallint', '-32768'],
  ['integer', '2147483647'],
  ['bigint', '9223372036854775807', '-9223372036854775808'],
  ['numeric', `'12345678901234567890.1234567890'`, `'NaN'`, '1e-20'],
  ['numeric(12,4)', '1.5'],
  ['real', '0.1', `'-Infinity'`, '1e30'],
  ['double precision', '0.1', '1e300', `'NaN'`, '-0.0::float8'],
  ['money', `'1234.5'`],
  ['uuid', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`],
  ['json', `'{"z":1, "a":  9007199254740993,"a":2}'`, `'null'`],
  ['jsonb', `'{"z":1, "a":  9007199254740993,"a":2}'`, `'null'`, `'"text"'`],
  ['xml', `'<?xml version="1.0" encoding="UTF-8"?><a>ä</a>'`],
  ['bytea', `'\\x00ff10'`, `''`, `decode(repeat('ab', 9000), 'hex')`],
  ['bytea[]', `ARRAY['\\x01'::bytea]`],
  ['date', `'2026-02-03'`, `'infinity'`, `'0044-03-15 BC'`],
  ['time', `'04:05:06.789'`],
  ['time with time zone', `'04:05:06.789+05:30'`],
  ['timestamp(3)', `'2026-02-03 04:05:06.78912'`],
  ['timestamp with time zone', `'2026-02-03 04:05:06.789+05'`, `'-infinity'`],
  ['interval', `'1 year -2 days 03:04:05.6'`, `'0'`],
  ['interval day to second(2)', `'2 days 03:04:05.678'`],
  ['inet', `'10.0.0.1'`, `'10.0.0.0/8'`, `'::1'`],
  ['cidr', `'10.0.0.0/8'`],
  ['macaddr', `'08:00:2b:01:02:03'`],
  ['bit(5)', `B'10101'`],
  ['bit varying', `B'1'`],
  ['point', `'(0.1,2)'`],
  ['tsvector', `'a fat cat'`],
  ['int4range', `'[1,5)'`],
  ['text[]', `ARRAY['a,b', NULL, '"x"', '']`],
  ['integer[]', `'[2:3]={1,2}'`],
  ['boolean[]', `ARRAY[true, NULL]`],
  ['regclass', `'pg_class'`],
  ['pg_lsn', `'16/B374D848'`],
  ['oid', '4294967295'],
  ['lanes_mood', `'so so'`],
  ['lanes_pair', `ROW(1, 'a "b"')`, `ROW(NULL, NULL)`],
  ['lanes_code', `'ab   '`],
  ['lanes_flag', 'true'],
  ['lanes_cast', `ROW(true)`],
];

const CREATE = `
  CREATE TYPE lanes_mood AS ENUM ('ok', 'so so');
  CREATE TYPE lanes_pair AS (a int, b text);
  CREATE DOMAIN lanes_code AS character(5);
  CREATE DOMAIN lanes_flag AS boolean;
  CREATE TYPE lanes_cast AS (flag boolean);
  CREATE FUNCTION lanes_cast_text(lanes_cast) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'by cast'::text $$;
  CREATE CAST (lanes_cast AS text) WITH FUNCTION lanes_cast_text(lanes_cast);
  CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL DEFAULT gen_random_uuid(),
    ${TYPES.map(([type], index) => `c${index} ${type}`).join(', ')});
  CREATE TABLE outbox_parked (position bigint, id text, destination text, key text, PRIMARY KEY (position, id));
  CREATE PUBLICATION outbox_relay FOR TABLE outbox`;

/** One row of nulls, then one row a value. */
const ROWS = TYPES.flatMap(([, ...values], index) => values.map((value) => [`c${index}`, value] as const));

function bytes(row: OutboxRow): (string | null)[] {
  return row.values.map((value) => value?.toString('latin1') ?? null);
}

describeWithService('postgres', 'both lanes', () => {
  const database = freshDatabase();
  let sql: pg.Client;
  let table: OutboxTable;

  beforeAll(async () => {
    sql = await harness.connect(database.url);
    await sql.query(CREATE);
    const mapping = { position: 'position', id: 'id', aggregateid: 'c0', payload: 'c0' };
    const none = { aggregatetype: null, type: null, headers: null, createdAt: null };
    table = await inspectTable(sql, {
      schema: 'public',
      name: 'outbox',
      columns: { ...mapping, ...none },
      extra: TYPES.map((_, index) => `c${index}`),
    });
  });
  afterAll(() => sql.end());

  test('give the same bytes for every type', async () => {
    const recorder = new Recorder();
    const source = streamSource(streamOptions(database.url, { table }));
    const stream = await source.open(recorder, never);
    await sql.query('INSERT INTO outbox DEFAULT VALUES');
    for (const [column, value] of ROWS) await sql.query(`INSERT INTO outbox (${column}) VALUES (${value})`);
    await recorder.untilRows(ROWS.length + 1);
    await stream.close();

    const reader = new PostgresTableReader({
      postgres: harness.postgresOptions(database.url),
      table,
      filters: NO_FILTERS,
    });
    const read = await harness.drain(await reader.open(harness.request(), never));
    await reader.close();

    expect(read).toHaveLength(ROWS.length + 1);
    expect(read.map(({ position, id }) => ({ position, id }))).toEqual(
      recorder.rows.map(({ position, id }) => ({ position, id })),
    );
    read.forEach((row, index) => {
      expect(bytes(row), index === 0 ? 'nulls' : ROWS[index - 1]?.join(' = ')).toEqual(bytes(recorder.rows[index]!));
    });
    // The comparison is not one of nulls: each row but the first carries its one value.
    const carried = read.slice(1).map((row) => row.values.filter((value) => value !== null).length);
    expect(Math.min(...carried)).toBeGreaterThanOrEqual(1);
  });
});
