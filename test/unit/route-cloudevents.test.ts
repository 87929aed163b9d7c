import type { CloudEvent } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { CloudEventsSpec } from '../../src/route/cloudevents/spec.ts';
import { createRouter } from '../../src/route/router.ts';
import { columnsUsed } from '../../src/route/spec.ts';
import {
  EVENT_TRACEPARENT as TRACEPARENT,
  eventMessage,
  eventsOf,
  kafkaRecord,
  ORDER,
  type RowValues,
} from './cloudevents-support.ts';
import { readAmqpHeaders, readBySdk } from '../support/cloudevents.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

const ID = '5f0c1b3e-0000-4000-8000-000000000017';
const EXCHANGE = { address: { kind: 'exchange', exchange: 'orders', routingKey: 'x' } } as const;

const MODES = ['binary', 'structured'] as const;

/** What the SDK makes of the record that a message becomes. */
const readMessage = (message: OutgoingMessage): CloudEvent<unknown> => readBySdk(kafkaRecord(message));

function faultOf(spec: Partial<CloudEventsSpec>, values: RowValues, options = {}): string {
  try {
    eventMessage(spec, values, options);
  } catch (error) {
    if (error instanceof RelayError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('the row became an event');
}

/** Texts that attributes can have: neither empty nor with control characters or noncharacters. */
const attributeText = fc
  .string({ unit: 'grapheme', minLength: 1 })
  .filter((text) => !/[\p{Control}\p{Surrogate}\p{Noncharacter_Code_Point}]/u.test(text));

describe.each(MODES)('an event in %s mode', (mode) => {
  it('is read by the SDK with every attribute and the data as the row has them', () => {
    const table = tableOf({ created_at: 'timestamp with time zone' });
    const spec = {
      mode,
      source: '/orders/${aggregatetype}/${aggregateid}',
      time: '${created_at}',
      extensions: { partitionkey: '${aggregateid}', region: 'eu-${aggregatetype}' },
      extensionHeaders: { correlationid: 'x-correlation-id' },
    };
    fc.assert(
      fc.property(attributeText, attributeText, attributeText, fc.json(), (key, type, header, json) => {
        const headers = JSON.stringify({ 'x-correlation-id': header, traceparent: TRACEPARENT, other: 'stays' });
        const values = {
          aggregatetype: 'order',
          aggregateid: key,
          type,
          payload: json,
          headers,
          created_at: '2026-11-23 21:12:05.123456+00',
        };
        const message = eventMessage(spec, values, { table });
        const { time, data, datacontenttype, ...attributes } = readMessage(message);
        expect(JSON.parse(JSON.stringify(attributes))).toEqual({
          id: ID,
          specversion: '1.0',
          type,
          source: `/orders/order/${encodeURIComponent(key)}`,
          subject: key,
          partitionkey: key,
          region: 'eu-order',
          correlationid: header,
          traceparent: TRACEPARENT,
        });
        expect(time).toBe('2026-11-23T21:12:05.123Z');
        expect(datacontenttype).toBe('application/json');
        expect(data).toEqual(JSON.parse(json));
        expect(message.headers).toContainEqual(['other', 'stays']);
        expect(message.headers).toContainEqual(['traceparent', TRACEPARENT]);
        expect(message.key).toBe(key);
      }),
    );
  });

  it.each([
    ['bytea', Buffer.from([0, 255, 10, 34]), 'application/octet-stream'],
    ['text', 'two\nlines, "quoted", \\ and \u{1F600}', 'text/plain; charset=utf-8'],
    ['xml', '<a b="c">é</a>', 'application/xml'],
    ['character varying(40)', '{"a": 1}', 'text/plain; charset=utf-8'],
  ])('carries a payload of type %s byte by byte', (type, payload, contentType) => {
    const message = eventMessage(
      { mode, time: '2026-11-23T21:12:05Z' },
      { ...ORDER, payload },
      { table: tableOf({ payload: type }) },
    );
    const event = readMessage(message);
    const bytes = ArrayBuffer.isView(event.data) ? event.data : String(event.data);
    expect(Buffer.from(bytes as string)).toEqual(Buffer.from(payload));
    expect(event.datacontenttype).toBe(contentType);
    expect(message.contentType).toBe(mode === 'binary' ? contentType : 'application/cloudevents+json; charset=utf-8');
  });

  it('keeps the digits of JSON as Postgres prints them', () => {
    const body = eventMessage({ mode }, ORDER).body?.toString() ?? '';
    expect(body.endsWith(mode === 'binary' ? ORDER.payload : `,"data":${ORDER.payload}}`)).toBe(true);
  });

  it('leaves out what comes to null or to an empty text', () => {
    const spec = {
      mode,
      extensions: { tenant: '${tenant}', region: '' },
      extensionHeaders: { causation: 'none' },
      time: '2026-11-23T21:12:05Z',
    };
    const event = readMessage(
      eventMessage(
        spec,
        { ...ORDER, aggregateid: '', tenant: null },
        { table: tableOf({ tenant: 'text' }), route: { key: null } },
      ),
    );
    expect(
      Object.keys(event).filter((name) => ['tenant', 'region', 'causation', 'traceparent'].includes(name)),
    ).toEqual([]);
    expect(event.subject).toBeUndefined();
  });

  it('writes values of columns as CloudEvents writes their types', () => {
    const table = tableOf({ at: 'timestamp(3) without time zone', flag: 'boolean', raw: 'bytea', n: 'integer' });
    const extensions = { recordedtime: '${at}', flag: '${flag}', raw: '${raw}', n: '${n}', retry: 3, sampled: true };
    const values = { ...ORDER, at: '2026-11-23 21:12:05.5', flag: 'f', raw: Buffer.from([255]), n: '7' };
    const message = eventMessage({ mode, extensions, time: '${at}' }, values, { table });
    const text = mode === 'binary' ? String : (value: unknown) => value;
    expect(readMessage(message)).toMatchObject({
      recordedtime: '2026-11-23T21:12:05.5Z',
      flag: 'false',
      raw: '/w==',
      n: '7',
      retry: text(3),
      sampled: text(true),
    });
  });

  it('does not let a row pass headers for attributes', () => {
    const headers =
      '{"ce_source": "forged", "CE_Type": "forged", "Content-Type": "application/cloudevents+json", "a": "b"}';
    const spec = { mode, time: '2026-11-23T21:12:05Z' };
    const message = eventMessage(spec, { ...ORDER, headers });
    expect(readMessage(message)).toMatchObject({ source: 'https://shop.example/orders', type: 'OrderPaid' });
    expect(
      message.headers.filter(([name]) => /^(ce_|content-type)/i.test(name) && name !== name.toLowerCase()),
    ).toEqual([]);
    expect(message.headers).toContainEqual(['a', 'b']);
  });

  it.each([
    ['a control character', {}, { type: 'a\u0085b' }, 'type'],
    ['a type that is null', {}, { type: null }, 'type'],
    ['an empty source', { source: '${aggregatetype}' }, { aggregatetype: '' }, 'source'],
    ['a source that is no URI', { source: '${aggregatetype}' }, { aggregatetype: 'two words' }, 'source'],
    ['a schema without a scheme', { dataschema: '${aggregatetype}' }, { aggregatetype: 'orders/v1' }, 'dataschema'],
    ['a time that RFC 3339 cannot say', { time: '${aggregatetype}' }, { aggregatetype: 'infinity' }, 'time'],
    ['a noncharacter', { extensions: { x: '${aggregatetype}' } }, { aggregatetype: '\ufffe' }, 'extensions.x'],
  ])('is not made with %s', (_, spec, values, option) => {
    const fault = faultOf({ mode, ...spec }, { ...ORDER, ...values });
    expect(fault).toMatch(/^route_cloudevent: /);
    expect(fault).toContain(`routes[0].cloudEvents.${option} `);
  });

  it('counts the bytes that it keeps alive, its own body included', () => {
    const [plain, event] = [routeOf(), routeOf({ cloudEvents: eventsOf({ mode }) })].map(
      (spec) => createRouter([spec], tableOf(), ['kafka']).route(rowOf(tableOf(), ORDER)).message!,
    );
    const headers = event!.headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    expect(event!.bytes - plain!.bytes).toBe(headers + (mode === 'structured' ? event!.body!.length : 0));
  });
});

it.each([
  ['type', { type: 'a\u0001b' }],
  ['subject', { subject: '\ufffe' }],
  ['time', { time: 'yesterday' }],
  ['source', { source: 'two words' }],
])('a %s that no event can have is told before any row comes', (option, spec) => {
  expect(faultOf(spec, ORDER)).toMatch(`config_invalid: routes[0].cloudEvents.${option}: expected `);
});

describe('a binary event', () => {
  it('without data is a tombstone with all attributes', () => {
    const { body, headers } = eventMessage({}, { ...ORDER, payload: null });
    expect(body).toBeNull();
    expect(headers).toContainEqual(['ce_id', ID]);
  });

  it("is no copy of the payload's bytes", () => {
    const table = tableOf();
    const row = rowOf(table, ORDER);
    const router = createRouter([routeOf({ cloudEvents: eventsOf() })], table, ['kafka']);
    expect(router.route(row).message?.body).toBe(row.values[table.layout.indexOf('payload')]);
  });

  it.each(['cloudEvents_', 'cloudEvents:', 'ce-'] as const)('goes to an exchange with the prefix %s', (prefix) => {
    const spec = { prefix, extensions: { tenant: 'acme' } };
    const headers =
      '{"cloudEvents_type": "forged", "cloudEvents:type": "forged", "ce-type": "forged", "ce_plain": "1"}';
    const message = eventMessage(spec, { ...ORDER, headers }, { route: EXCHANGE });
    expect(message.contentType).toBe('application/json');
    expect(Object.fromEntries(readAmqpHeaders(message.headers, prefix))).toEqual({
      specversion: '1.0',
      id: ID,
      source: 'https://shop.example/orders',
      type: 'OrderPaid',
      subject: '42',
      tenant: 'acme',
    });
    expect(message.headers.filter(([name]) => !name.startsWith(prefix))).toEqual([['ce_plain', '1']]);
  });
});

describe('a structured event', () => {
  it('without data has no data, or is a tombstone in binary mode where that is wanted', () => {
    const event = eventMessage({ mode: 'structured' }, { ...ORDER, payload: null });
    expect(event.contentType).toBe('application/cloudevents+json; charset=utf-8');
    expect(Object.keys(JSON.parse(event.body!.toString()) as object)).toEqual([
      'specversion',
      'id',
      'source',
      'type',
      'subject',
    ]);
    const tombstone = eventMessage({ mode: 'structured', nullPayload: 'tombstone' }, { ...ORDER, payload: null });
    expect(tombstone.body).toBeNull();
    expect(kafkaRecord(tombstone).headers).toMatchObject({
      ce_id: ID,
      ce_type: 'OrderPaid',
      'content-type': 'application/json',
    });
  });

  it('tells data that is null from no data', () => {
    const { body } = eventMessage({ mode: 'structured' }, { ...ORDER, payload: 'null' });
    expect(JSON.parse(body!.toString())).toHaveProperty('data', null);
  });

  it('embeds text that is JSON, and none that is not', () => {
    const options = { table: tableOf({ payload: 'text' }), route: { contentType: 'application/vnd.shop+json' } };
    const spec = { mode: 'structured' } as const;
    const { body } = eventMessage(spec, { ...ORDER, payload: '{"a": 1.50}' }, options);
    expect(body?.toString()).toContain('"datacontenttype":"application/vnd.shop+json","data":{"a": 1.50}}');
    const forged = faultOf(spec, { ...ORDER, payload: '1},"id":"forged","data":{"a":"secret"' }, options);
    expect(forged).toMatch(/^route_cloudevent: .*not the JSON/);
    expect(forged).not.toContain('secret');
  });

  it('says JSON as a string where the route says that it is something else', () => {
    const { body } = eventMessage({ mode: 'structured' }, ORDER, { route: { contentType: 'text/plain' } });
    expect(JSON.parse(body!.toString())).toMatchObject({ data: ORDER.payload, datacontenttype: 'text/plain' });
  });

  it('has no headers of attributes, and for an exchange no content-type header either', () => {
    const values = { ...ORDER, headers: '{"a": "b"}' };
    expect(eventMessage({ mode: 'structured' }, values, { route: EXCHANGE }).headers).toEqual([['a', 'b']]);
    expect(eventMessage({ mode: 'structured' }, values).headers).toEqual([
      ['a', 'b'],
      ['content-type', 'application/cloudevents+json; charset=utf-8'],
    ]);
  });
});

describe('a row that cannot become an event', () => {
  it('is dead-lettered as the message that it would be without CloudEvents', () => {
    const table = tableOf();
    const router = createRouter(
      [routeOf({ cloudEvents: eventsOf(), deadLetter: { kind: 'topic', topic: 'dead' }, onError: 'dead-letter' })],
      table,
      ['kafka'],
    );
    const routed = router.route(rowOf(table, { ...ORDER, type: null, headers: '{"a": "b"}' }));
    expect(routed.fault?.code).toBe('route_cloudevent');
    const letter = router.deadLetter(routed, routed.fault!);
    expect(letter?.body?.toString()).toBe(ORDER.payload);
    expect(letter?.headers.slice(0, 2)).toEqual([
      ['a', 'b'],
      ['x-outbox-error-code', 'route_cloudevent'],
    ]);
  });
});

it('reads the columns that templates of attributes use', () => {
  const cloudEvents = eventsOf({
    source: '/${a}',
    type: '${b}',
    subject: '${c}',
    time: '${d}',
    dataschema: 'x:${e}',
    extensions: { x: '${f}', y: 1 },
  });
  const used = columnsUsed([routeOf({ cloudEvents, key: null })]);
  expect(used.toSorted()).toEqual(['a', 'aggregatetype', 'b', 'c', 'd', 'e', 'f']);
});
