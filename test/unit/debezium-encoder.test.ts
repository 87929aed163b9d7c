import { describe, expect, it } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { expandJson } from '../../src/route/debezium/expansion.ts';
import { jacksonString, javaFloat } from '../../src/route/debezium/java-text.ts';
import { createRouter } from '../../src/route/router.ts';
import { columnsUsed, type RouteSpec } from '../../src/route/spec.ts';
import { AS_IT_IS, debeziumMessageOf, type Given } from './debezium-support.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

const ID = '5f0c1b3e-0000-4000-8000-000000000017';
const ORDER = { aggregatetype: 'order', aggregateid: 'k"1', type: 'Created', payload: '{"total": 12}' };
const JSON_CONVERTER = { key: 'json', value: 'json', headers: 'json' } as const;

const messageOf = (given: Given): OutgoingMessage => debeziumMessageOf({ ...given, row: { ...ORDER, ...given.row } });
const bodyOf = (given: Given): string | null => messageOf(given).body?.toString() ?? null;

describe('a message as Debezium has it', () => {
  it('has the payload as it is, and no type, with converters that leave texts alone', () => {
    const message = messageOf({});
    expect(message).toMatchObject({ key: 'k"1', type: null, headers: [], idHeader: ID });
    expect(message.body?.toString()).toBe('{"total": 12}');
  });

  it('is written by JsonConverter in all its parts', () => {
    const message = messageOf({
      debezium: JSON_CONVERTER,
      route: { headers: { type: '${type}', at: '${at}', n: '${n}', none: '${none}', both: '${type}-${n}' } },
      types: { at: 'timestamp with time zone', n: 'integer', none: 'text' },
      row: { at: '2026-03-01 08:00:00.12+00', n: '-7' },
    });
    expect(message).toMatchObject({ key: '"k\\"1"', idHeader: `"${ID}"`, contentType: 'application/json' });
    expect(message.body?.toString()).toBe('"{\\"total\\": 12}"');
    expect(message.headers).toEqual([
      ['type', '"Created"'],
      ['at', '"2026-03-01T08:00:00.120000Z"'],
      ['n', '-7'],
      ['none', 'null'],
      ['both', '"Created--7"'],
    ]);
  });

  it('leaves a header that is null out where the converter has no text for it', () => {
    expect(messageOf({ route: { headers: { tenant: '${tenant}' } }, types: { tenant: 'text' } }).headers).toEqual([]);
  });

  it('puts columns beside the payload', () => {
    const types = { flag: 'boolean', ratio: 'double precision', day: 'date', at: 'timestamp(3) without time zone' };
    const envelope = { eventType: 'type', flag: 'flag', ratio: 'ratio', day: 'day', at: 'at' };
    const row = { flag: 't', ratio: '100', day: '1970-01-11', at: '1970-01-01 00:00:01.5' };
    const debezium = { ...JSON_CONVERTER, envelope, expandJson: true };
    expect(columnsUsed([routeOf({ debezium: { ...AS_IT_IS, envelope } })])).toContain('ratio');
    expect(bodyOf({ debezium, types, row })).toBe(
      '{"payload":{"total":12},"eventType":"Created","flag":true,"ratio":100.0,"day":10,"at":1500}',
    );
    expect(bodyOf({ debezium, types, row: { payload: null } })).toBe(
      '{"payload":null,"eventType":"Created","flag":null,"ratio":null,"day":null,"at":null}',
    );
  });

  it.each([
    ['timestamp with time zone', '2026-03-01 08:00:00.12+00', '2026-03-01T08:00:00.120000Z'],
    ['timestamp(3) with time zone', '2026-03-01 08:00:00.12+00', '2026-03-01T08:00:00.120Z'],
    ['timestamp(0) with time zone', '2026-03-01 08:00:00+00', '2026-03-01T08:00:00Z'],
    ['timestamp(4) without time zone', '1970-01-01 00:00:00.5', '500000'],
  ])('has as many digits of a %s as the type', (at, printed, expected) => {
    const given = { route: { headers: { at: '${at}' } }, types: { at }, row: { at: printed } };
    expect(messageOf(given).headers).toEqual([['at', expected]]);
  });

  it('has bytes in base64, and as they are where nothing is converted', () => {
    const given = { types: { payload: 'bytea' }, row: { payload: Buffer.from([0, 255, 32]) } };
    expect(bodyOf({ ...given, debezium: JSON_CONVERTER })).toBe('"AP8g"');
    expect(messageOf(given).body).toEqual(Buffer.from([0, 255, 32]));
  });

  it.each([
    [null, false, 'plain', null],
    [null, false, 'json', 'null'],
    [null, true, 'json', null],
    [' \n', true, 'json', null],
    [' \n', true, 'plain', null],
    [' \n', false, 'plain', ' \n'],
    ['', false, 'json', '""'],
  ] as const)(
    'of the payload %j, with tombstones for empty ones %s, is %s: %j',
    (payload, tombstoneOnEmpty, value, body) => {
      const given = { types: { payload: 'text' }, row: { payload } };
      expect(bodyOf({ ...given, debezium: { value, tombstoneOnEmpty } })).toBe(body);
    },
  );

  it('never is a tombstone for bytes, and has another body where RabbitMQ is to get one', () => {
    const debezium = { tombstoneOnEmpty: true, nullValue: 'default' };
    expect(bodyOf({ debezium, types: { payload: 'bytea' }, row: { payload: Buffer.alloc(0) } })).toBe('');
    expect(bodyOf({ debezium, row: { payload: null } })).toBe('default');
  });

  it('has the id among its headers for RabbitMQ', () => {
    const address = { kind: 'exchange', exchange: 'x', routingKey: 'r' } as const;
    const { headers } = messageOf({ debezium: { headers: 'json' }, route: { address } });
    expect(headers).toEqual([['id', `"${ID}"`]]);
  });

  it('counts a body of its own against the memory budget', () => {
    const payload = `{"a": "${'x'.repeat(1000)}"}`;
    const plain = messageOf({ row: { payload } });
    const json = messageOf({ debezium: { value: 'json' }, row: { payload } });
    expect(json.bytes - plain.bytes).toBe(json.body?.length);
  });
});

describe('an expanded payload', () => {
  it.each([
    ['{"b": 1, "a": {"c": [1, 2]}}', '{"b":1,"a":{"c":[1,2]}}'],
    ['{"10": "x", "9": "y"}', '{"10":"x","9":"y"}'],
    ['{"none": null, "empty": [], "object": {}}', '{"object":{}}'],
    ['{"a": [null, 1, null]}', '{"a":[null,1,null]}'],
    ['{"a": [{"x": 1}, {"y": "z"}, null]}', '{"a":[{"x":1,"y":null},{"x":null,"y":"z"},null]}'],
    ['{"a": 1, "b": 2, "a": "last"}', '{"a":"last","b":2}'],
    [
      '{"price": 12.50, "small": 0.0001, "large": 12345678.9, "e": 1e2, "whole": 9007199254740993}',
      '{"price":12.5,"small":1.0E-4,"large":1.23456789E7,"e":100.0,"whole":9007199254740993}',
    ],
    ['{"text": "é\\u001f/\\u2028\\"\\\\"}', '{"text":"é\\u001F/\u2028\\"\\\\"}'],
    ['{"a": 1} behind', '{"a":1}'],
    ['{"a": [[1], [2, 3]]}', '{"a":[[1],[2,3]]}'],
    ['{"": [], "a": 1}', '{"a":1}'],
    ['[ ]', '"[ ]"'],
  ])('%s is %s', (payload, expanded) => {
    expect(expandJson(payload, 'omit')?.json).toBe(expanded);
  });

  it.each([
    'text',
    '12',
    '"text"',
    '',
    ' {"a": 1}',
    '{"a": [1, "x"]}',
    '{"a": [1, 2.5]}',
    '{"a": [1, 9007199254740993]}',
    '{"a": [null]}',
    '{"a": [[]]}',
    '{"": 1}',
    '{"a": }',
    '{"a": "open',
    `${'['.repeat(1002)}1${']'.repeat(1002)}`,
  ])('is none of %s', (payload) => {
    expect(expandJson(payload, 'omit')).toBeNull();
  });

  it('keeps nulls where it is told to', () => {
    expect(expandJson('{"a": null, "b": [null, null], "c": [{"x": null}, {"x": 1}]}', 'keep')?.json).toBe(
      '{"a":null,"b":[null,null],"c":[{"x":null},{"x":1}]}',
    );
  });

  it('takes a long text without running out of room', () => {
    const text = '\\n'.repeat(2_000_000);
    expect(expandJson(`{"a": "${text}"}`, 'omit')?.json).toBe(`{"a":"${text}"}`);
  });
});

describe('as Java writes it', () => {
  it.each([
    ['0', '0.0'],
    ['-0', '-0.0'],
    ['1', '1.0'],
    ['-1.5', '-1.5'],
    ['0.001', '0.001'],
    ['0.00099', '9.9E-4'],
    ['9999999', '9999999.0'],
    ['10000000', '1.0E7'],
    ['1e+21', '1.0E21'],
    ['1.5e-7', '1.5E-7'],
    ['123456.789', '123456.789'],
    ['NaN', 'NaN'],
  ])('%s is %s', (text, expected) => {
    expect(javaFloat(text)).toBe(expected);
  });

  it('a text has capital letters in its escapes, and what looks like one is left alone', () => {
    expect(jacksonString('\u001f\\u001f\n☃😀')).toBe('"\\u001F\\\\u001f\\n☃\\uD83D\\uDE00"');
  });
});

describe('where a message goes', () => {
  const route = (spec: Partial<RouteSpec>, row: Readonly<Record<string, string | null>> = {}) => {
    const table = tableOf({ shard: 'integer' });
    return createRouter([routeOf(spec)], table, ['kafka']).route(rowOf(table, { ...ORDER, ...row }));
  };

  it('is rewritten where the pattern matches all of it', () => {
    const rewrite = { pattern: 'shop\\.(?<what>.*)', replacement: 'events-$<what>' };
    const address = { kind: 'topic', topic: '${aggregatetype}' } as const;
    const topicOf = (aggregatetype: string) => route({ address, rewrite }, { aggregatetype }).message?.address;
    expect(topicOf('shop.order')).toEqual({ kind: 'topic', topic: 'events-order' });
    expect(topicOf('shop.order')).toEqual({ kind: 'topic', topic: 'events-order' });
    expect(topicOf('my-shop.order')).toEqual({ kind: 'topic', topic: 'my-shop.order' });
    const exchange = { kind: 'exchange', exchange: 'shop.x', routingKey: 'shop.${aggregatetype}' } as const;
    expect(route({ address: exchange, rewrite }).message?.address).toMatchObject({
      exchange: 'shop.x',
      routingKey: 'events-order',
    });
    expect(() => route({ rewrite: { pattern: '(', replacement: '' } })).toThrow('routes[0].rewrite.pattern');
  });

  it('is the partition that the row names', () => {
    const partitionOf = (shard: string | null) => route({ partition: '${shard}' }, { shard });
    expect(partitionOf('2').message?.partition).toBe(2);
    expect(partitionOf(null).message).not.toHaveProperty('partition');
    expect(partitionOf('-1').fault).toMatchObject({ code: 'route_template' });
    expect(partitionOf('99999999999').fault).toMatchObject({ code: 'route_template' });
  });
});
