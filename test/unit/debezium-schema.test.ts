import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { readDefault } from '../../src/route/debezium/column-default.ts';
import { columnSchema } from '../../src/route/debezium/connect-schema.ts';
import { expandJson } from '../../src/route/debezium/expansion.ts';
import { columnsUsed } from '../../src/route/spec.ts';
import { idInHeader } from '../../src/verify/header-id.ts';
import { AS_IT_IS, debeziumMessageOf, type Given } from './debezium-support.ts';
import { routeOf } from './route-support.ts';

const ID = '5f0c1b3e-0000-4000-8000-000000000017';
const WITH_SCHEMAS = { key: 'json-with-schema', value: 'json-with-schema', headers: 'json-with-schema' } as const;
const COLUMNS = {
  aggregatetype: 'text',
  aggregateid: 'text',
  type: 'text',
  payload: 'jsonb',
};
const ROW = { aggregatetype: 'order', aggregateid: 'k"1', type: 'Created', payload: '{"total": 12}' };

const messageOf = (given: Given): OutgoingMessage =>
  debeziumMessageOf({
    ...given,
    debezium: { ...WITH_SCHEMAS, ...given.debezium },
    types: { ...COLUMNS, ...given.types },
    row: { ...ROW, ...given.row },
  });
const bodyOf = (given: Given): string | null => messageOf(given).body?.toString() ?? null;

describe('a message of JsonConverter with schemas', () => {
  it('has one beside key, value, id and each header', () => {
    const message = messageOf({
      route: { headers: { type: '${type}', n: '${n}', none: '${none}', both: '${type}-${n}' } },
      types: { n: 'smallint', none: 'bytea' },
      columns: { type: { notNull: true } },
      row: { n: '-7' },
    });
    const optional = '{"schema":{"type":"string","optional":true}';
    expect(message.key).toBe(`${optional},"payload":"k\\"1"}`);
    expect(message.body?.toString()).toBe(
      '{"schema":{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1},"payload":"{\\"total\\": 12}"}',
    );
    expect(message.headers).toEqual([
      ['type', '{"schema":{"type":"string","optional":false},"payload":"Created"}'],
      ['n', '{"schema":{"type":"int16","optional":true},"payload":-7}'],
      ['none', '{"schema":{"type":"bytes","optional":true},"payload":null}'],
      ['both', '{"schema":{"type":"string","optional":false},"payload":"Created--7"}'],
    ]);
    expect(message.contentType).toBe('application/json');
    expect(idInHeader(message.idHeader ?? null)).toBe(ID);
  });

  it('has a null as such, or no value at all where it is to be a tombstone', () => {
    const schema = '{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1}';
    expect(bodyOf({ row: { payload: null } })).toBe(`{"schema":${schema},"payload":null}`);
    expect(bodyOf({ row: { payload: null }, debezium: { tombstoneOnEmpty: true } })).toBeNull();
  });

  it('has the default of a column in the place of null, in every format', () => {
    const columns = {
      payload: { defaultExpression: `'{"a": 1}'::jsonb` },
      tenant: { defaultExpression: `'shop'::text` },
      odd: { defaultExpression: 'CURRENT_USER' },
    };
    const given = {
      columns,
      types: { tenant: 'text', odd: 'text' },
      row: { payload: null },
      route: { headers: { tenant: '${tenant}' } },
    };
    const schema =
      '{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"default":"{\\"a\\": 1}"}';
    expect(bodyOf(given)).toBe(`{"schema":${schema},"payload":"{\\"a\\": 1}"}`);
    expect(messageOf(given).headers).toEqual([
      ['tenant', '{"schema":{"type":"string","optional":true,"default":"shop"},"payload":"shop"}'],
    ]);
    const plain = messageOf({ ...given, debezium: { key: 'plain', value: 'plain', headers: 'plain' } });
    expect([plain.body?.toString(), plain.headers]).toEqual(['{"a": 1}', [['tenant', 'shop']]]);
    // without schemas an unknown default is none
    const odd = { ...given, debezium: { headers: 'json' }, route: { headers: { odd: '${odd}' } } } as const;
    expect(messageOf(odd).headers).toEqual([['odd', 'null']]);
  });

  it('has fields for payload and columns, and a name for all', () => {
    const debezium = {
      envelope: { eventType: 'type', day: 'day' },
      envelopeSchema: 'shop.public.outbox.${kind}.Value',
      expandJson: true,
    };
    const given = { debezium, types: { day: 'date', kind: 'text' }, row: { day: '1970-01-11', kind: 'o' } };
    expect(columnsUsed([routeOf({ debezium: { ...AS_IT_IS, ...WITH_SCHEMAS, ...debezium } })])).toContain('kind');
    const fields = [
      '{"type":"struct","fields":[{"type":"int32","optional":true,"field":"total"}],"optional":true,"name":"payload","field":"payload"}',
      '{"type":"string","optional":true,"field":"eventType"}',
      '{"type":"int32","optional":true,"name":"io.debezium.time.Date","version":1,"field":"day"}',
    ];
    expect(bodyOf(given)).toBe(
      `{"schema":{"type":"struct","fields":[${fields.join(',')}],"optional":false,"name":"shop.public.outbox.o.Value"},` +
        '"payload":{"payload":{"total":12},"eventType":"Created","day":10}}',
    );
    expect(bodyOf({ ...given, row: { kind: null } })).toContain('"name":"shop.public.outbox.null.Value"');
  });

  it.each([
    [{ types: { n: 'numeric' } }, 'is of type numeric'],
    [{ types: { n: 'text' }, columns: { n: { defaultExpression: 'CURRENT_USER' } } }, 'has the default CURRENT_USER'],
  ])('is refused for a column whose schema is not known', (given, message) => {
    const route = { headers: { 'x-n': '${n}' } };
    const attempt = (): unknown => messageOf({ ...given, route });
    expect(attempt).toThrow(RelayError);
    expect(attempt).toThrow(`routes[0].headers.x-n: the column n ${message}`);
    expect(messageOf({ ...given, route, debezium: { headers: 'json' } }).headers).toEqual([['x-n', 'null']]);
  });
});

describe('the schema of a column', () => {
  it.each([
    ['oid', '{"type":"int64","optional":true}'],
    ['real', '{"type":"float","optional":true}'],
    ['character(3)', '{"type":"string","optional":true}'],
    [
      'timestamp(3) without time zone',
      '{"type":"int64","optional":true,"name":"io.debezium.time.Timestamp","version":1}',
    ],
    [
      'timestamp(4) without time zone',
      '{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1}',
    ],
    [
      'timestamp(3) with time zone',
      '{"type":"string","optional":true,"name":"io.debezium.time.ZonedTimestamp","version":1}',
    ],
  ])('of type %s is %s', (type, schema) => {
    expect(columnSchema({ name: 'c', type }, 'x')).toBe(schema);
  });

  it.each(['interval', 'text[]', 'status', 'time without time zone', 'citext', '"char"'])(
    'is not known of %s',
    (type) => {
      expect(() => columnSchema({ name: 'c', type }, 'x')).toThrow('does not know the schema');
    },
  );
});

describe('a default', () => {
  it.each([
    ['integer', '1', '1'],
    ['integer', `'-1'::integer`, '-1'],
    ['bigint', `nextval('a_seq'::regclass)`, '0'],
    ['bigint', `'4294967296'::bigint`, '4294967296'],
    ['boolean', 'true', 't'],
    ['boolean', 'now() IS NULL', 'f'],
    ['double precision', '1.5', '1.5'],
    ['real', `'-0.25'::numeric`, '-0.25'],
    ['text', `'a b'::text`, 'a b'],
    ['character varying(9)', `''::character varying`, ''],
    ['character varying(9)', 'NULL::character varying', null],
    ['text', `(upper('x'::text) || 'y'::text)`, ''],
    ['jsonb', `'{"a": [1]}'::jsonb`, '{"a": [1]}'],
    ['json', `json_build_object('a', 1)`, '{}'],
    ['uuid', 'gen_random_uuid()', '00000000-0000-0000-0000-000000000000'],
    ['uuid', `'${ID}'::uuid`, ID],
    ['date', 'CURRENT_DATE', '1970-01-01'],
    ['timestamp(3) with time zone', 'now()', '1970-01-01 00:00:00+00'],
    ['timestamp without time zone', `(now() AT TIME ZONE 'utc'::text)`, '1970-01-01 00:00:00'],
    ['bytea', `'\\x00'::bytea`, null],
  ])('of %s, %s, is %j', (type, defaultExpression, expected) => {
    expect(readDefault({ name: 'c', type, defaultExpression })).toBe(expected);
  });

  // which versions of Debezium read otherwise, or by rules that were not tried
  it.each([
    ['text', `'it''s'::text`],
    ['text', `E'a\\\\b'::text`],
    ['text', `'a\nb'::text`],
    ['text', 'CURRENT_USER'],
    ['text', `('a'::text || 'b'::text)`],
    ['integer', '(1 + 1)'],
    ['integer', '1.5'],
    ['bigint', `'9223372036854775808'::numeric`],
    ['real', '0.12345678'],
    ['double precision', `'NaN'::double precision`],
    ['date', `'2026-03-01'::date`],
    ['boolean', '(NOT true)'],
    ['numeric', '1'],
  ])('of %s, %s, is not known', (type, defaultExpression) => {
    expect(readDefault({ name: 'c', type, defaultExpression })).toBeUndefined();
  });

  it('is none where there is none', () => {
    expect(readDefault({ name: 'c', type: 'numeric' })).toBeNull();
  });
});

describe('the schema of an expanded payload', () => {
  const schemaOf = (text: string, nulls: 'omit' | 'keep' = 'omit') => expandJson(text, nulls)?.schemaFor('payload');
  const scalar = (type: string, field?: string) =>
    `{"type":"${type}","optional":true${field === undefined ? '' : `,"field":"${field}"`}}`;

  it('has the types of its members, and names by the way to them', () => {
    const inner = `{"type":"struct","fields":[${scalar('double', 'c')}],"optional":true,"name":"payload.b.x","field":"x"}`;
    expect(schemaOf('{"a": 1, "b": {"x": {"c": 1.5}}, "n": null, "e": []}')).toBe(
      `{"type":"struct","fields":[${scalar('int32', 'a')},{"type":"struct","fields":[${inner}],"optional":true,"name":"payload.b","field":"b"}],"optional":true,"name":"payload"}`,
    );
    expect(schemaOf('{"n": null, "l": 9007199254740993, "t": "", "f": true}', 'keep')).toBe(
      `{"type":"struct","fields":[${scalar('bytes', 'n')},${scalar('int64', 'l')},${scalar('string', 't')},${scalar('boolean', 'f')}],"optional":true,"name":"payload"}`,
    );
  });

  it.each([
    ['{"a": [1, 2]}', scalar('int32')],
    ['{"a": [[1], [2]]}', `{"type":"array","items":${scalar('int32')},"optional":true}`],
    [
      '{"a": [{"b": 1}, {"b": 2}]}',
      `{"type":"struct","fields":[${scalar('int32', 'b')}],"optional":true,"name":"payload.a"}`,
    ],
    // what differs is merged, and no longer optional
    [
      '{"a": [{"b": 1, "c": 2}, {"b": 2}]}',
      `{"type":"struct","fields":[${scalar('int32', 'b')},${scalar('int32', 'c')}],"optional":false,"name":"payload.a"}`,
    ],
    [
      '{"a": [[{"b": 1}]]}',
      `{"type":"array","items":{"type":"struct","fields":[${scalar('int32', 'b')}],"optional":true},"optional":true}`,
    ],
  ])('of %s has items', (text, items) => {
    const array = `{"type":"array","items":${items},"optional":true,"field":"a"}`;
    expect(schemaOf(text)).toBe(`{"type":"struct","fields":[${array}],"optional":true,"name":"payload"}`);
  });

  it('is lost with an empty array', () => {
    expect(bodyOf({ debezium: { expandJson: true }, row: { payload: '[]' } })).toBe('{"schema":null,"payload":"[]"}');
  });

  it("is the column's where nothing is expanded", () => {
    expect(bodyOf({ debezium: { expandJson: true }, row: { payload: '[1, "x"]' } })).toMatch(
      /^\{"schema":\{"type":"string","optional":true,"name":"io.debezium.data.Json"/,
    );
  });
});

describe('the id in a header', () => {
  it.each([
    [null, null],
    ['17', '17'],
    ['"17"', '17'],
    ['{"schema":{"type":"int64","optional":false},"payload":17}', '17'],
    ['{"schema":{"type":"string","optional":false},"payload":"a},\\"payload\\":b"}', 'a},\\"payload\\":b'],
  ])('%s is %s', (header, id) => {
    expect(idInHeader(header)).toBe(id);
  });
});
