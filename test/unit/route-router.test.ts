import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Routed } from '../../src/core/routing.ts';
import { columnLayout } from '../../src/core/row.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import { createRouter } from '../../src/route/router.ts';
import { columnsUsed, type RouteSpec } from '../../src/route/spec.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

const ORDER = { aggregatetype: 'order', aggregateid: '42', type: 'Created', payload: '{"total": 9007199254740993}' };

function route(
  specs: readonly RouteSpec[],
  values: Readonly<Record<string, string | Buffer | null>>,
  table = tableOf(),
): Routed {
  return createRouter(specs, table, ['kafka', 'rabbit']).route(rowOf(table, values));
}

function configError(specs: readonly RouteSpec[], table: OutboxTable = tableOf()): string {
  try {
    createRouter(specs, table, ['kafka', 'rabbit']);
  } catch (error) {
    if (error instanceof RelayError && error.code === 'config_invalid') return error.message;
    throw error;
  }
  throw new Error('the routes were accepted');
}

describe('a message', () => {
  it('carries what the row says', () => {
    const { destination, message } = route([routeOf()], { ...ORDER, headers: '{"trace": "t1"}' });
    expect(destination).toBe('kafka');
    expect(message).toMatchObject({
      address: { kind: 'topic', topic: 'outbox.event.order' },
      key: '42',
      type: 'Created',
      contentType: 'application/json',
      headers: [['trace', 't1']],
      route: 0,
    });
    expect(message?.body?.toString()).toBe('{"total": 9007199254740993}');
  });

  it("shares the payload's bytes with the row", () => {
    const table = tableOf();
    const row = rowOf(table, ORDER);
    const { message } = createRouter([routeOf()], table, ['kafka']).route(row);
    expect(message?.body).toBe(row.values[table.layout.indexOf('payload')]);
  });

  it('is a tombstone for a null payload, and not for an empty one', () => {
    expect(route([routeOf()], { ...ORDER, payload: null }).message?.body).toBeNull();
    expect(route([routeOf()], { ...ORDER, payload: '' }).message?.body).toHaveLength(0);
  });

  it.each([
    ['json', 'application/json'],
    ['jsonb', 'application/json'],
    ['text', 'text/plain; charset=utf-8'],
    ['bytea', 'application/octet-stream'],
    ['xml', 'application/xml'],
  ])('with a payload of type %s is %s', (payload, contentType) => {
    expect(route([routeOf()], ORDER, tableOf({ payload })).message?.contentType).toBe(contentType);
    expect(route([routeOf({ contentType: 'x/y' })], ORDER, tableOf({ payload })).message?.contentType).toBe('x/y');
  });

  it('counts all the bytes that it keeps alive', () => {
    const small = route([routeOf()], ORDER).message;
    const large = route([routeOf()], { ...ORDER, payload: ORDER.payload + ' '.repeat(1000) }).message;
    expect(large!.bytes - small!.bytes).toBe(1000);
    expect(small!.bytes).toBeGreaterThan(400);
  });

  it('goes to exchange and routing key by template, one object for all rows of one address', () => {
    const table = tableOf();
    const address = { kind: 'exchange', exchange: 'ex.${aggregatetype}', routingKey: '${type}.x' } as const;
    const router = createRouter([routeOf({ address })], table, ['kafka']);
    const [first, second] = [ORDER, { ...ORDER, aggregateid: '43' }].map((values) =>
      router.route(rowOf(table, values)),
    );
    expect(first?.message?.address).toEqual({ kind: 'exchange', exchange: 'ex.order', routingKey: 'Created.x' });
    expect(second?.message?.address).toBe(first?.message?.address);
  });

  it('tells addresses apart even beyond the cache', () => {
    const table = tableOf();
    const router = createRouter([routeOf({ address: { kind: 'topic', topic: '${type}' } })], table, ['kafka']);
    for (let n = 0; n < 10_000; n++) {
      const { message } = router.route(rowOf(table, { ...ORDER, type: `t${n % 7000}` }));
      expect(message?.address).toEqual({ kind: 'topic', topic: `t${n % 7000}` });
    }
  });

  it('takes the id, the position, and bytes in hex into templates', () => {
    const address = { kind: 'topic', topic: '${position}/${id}/${raw}' } as const;
    const { message } = route(
      [routeOf({ address })],
      { ...ORDER, raw: Buffer.from([0, 255]) },
      tableOf({ raw: 'bytea' }),
    );
    expect(message?.address).toEqual({ kind: 'topic', topic: '17/5f0c1b3e-0000-4000-8000-000000000017/\\x00ff' });
  });

  it('takes a header of the row into templates, by its exact name', () => {
    const spec = routeOf({
      address: { kind: 'topic', topic: 'to-${headers.where}' },
      key: '${headers.partition.key}',
      headers: { copy: '${headers.none}' },
    });
    const headers = '{"where": "here", "partition.key": 9007199254740993, "WHERE": "there"}';
    const { message } = route([spec], { ...ORDER, headers });
    expect(message).toMatchObject({ address: { topic: 'to-here' }, key: '9007199254740993' });
    expect(message?.headers.map(([name]) => name)).not.toContain('copy');
    const without = route([routeOf({ key: '${headers.partition.key}' })], ORDER);
    expect(without.message?.key).toBeNull();
    expect(route([spec], ORDER).fault?.message).toContain("'headers.where' is null");
    expect(route([spec], { ...ORDER, headers: '[]' }).fault?.code).toBe('route_headers');
    expect(columnsUsed([spec])).toEqual(['headers']);
  });

  it('fills in any template as its parts say', () => {
    const table = tableOf();
    const part = fc.oneof(
      fc.string().map((text) => ({ text: text.replaceAll('$', '-') })),
      fc.constantFrom('aggregateid', 'type').map((column) => ({ column })),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 2 }), fc.string({ unit: 'grapheme' }), fc.string(), (parts, id, type) => {
        const key = parts.map((each) => ('text' in each ? each.text : `\${${each.column}}`)).join('');
        const values = { ...ORDER, aggregateid: id, type };
        const expected = parts
          .map((each) => ('text' in each ? each.text : each.column === 'type' ? type : id))
          .join('');
        expect(route([routeOf({ key })], values, table).message?.key).toBe(expected);
      }),
    );
  });
});

describe('the key', () => {
  it.each([
    [null, null],
    ['${aggregateid}', null],
    ['all', 'all'],
  ])('of template %j is %j for a null column', (key, expected) => {
    expect(route([routeOf({ key })], { ...ORDER, aggregateid: null }).message?.key).toBe(expected);
  });

  it('of several columns must have all of them', () => {
    const { fault } = route([routeOf({ key: '${type}-${aggregateid}' })], { ...ORDER, aggregateid: null });
    expect(fault?.code).toBe('route_template');
    expect(fault?.message).toBe("routes[0].key: the column 'aggregateid' is null");
  });
});

describe('headers', () => {
  const own = '{"a": "row", "id": "false", "type": "false", "b": 1}';

  it("of the row never stand in for the broker's own id and type", () => {
    expect(route([routeOf()], { ...ORDER, headers: own }).message?.headers).toEqual([['a', 'row'], ['b', '1']]); // prettier-ignore
  });

  it("of the route win over the row's, and are left out when their column is null", () => {
    const headers = { a: 'route-${type}', tenant: '${tenant}' };
    const table = tableOf({ tenant: 'text' });
    const values = { ...ORDER, headers: own };
    expect(route([routeOf({ headers })], values, table).message?.headers).toEqual([['b', '1'], ['a', 'route-Created']]); // prettier-ignore
    expect(route([routeOf({ headers })], { ...values, tenant: 'x' }, table).message?.headers).toContainEqual([
      'tenant',
      'x',
    ]);
  });

  it('that are not flat are a fault with the key, so that the key can wait', () => {
    const routed = route([routeOf()], { ...ORDER, headers: '{"a": {}}' });
    expect(routed).toMatchObject({ destination: 'kafka', message: null, key: '42', route: 0 });
    expect(routed.fault?.code).toBe('route_headers');
  });

  it('are none for a table without the column', () => {
    const reads = tableOf().reads.filter(({ name }) => name !== 'headers');
    const table = { ...tableOf(), reads, layout: columnLayout(reads.map(({ name }) => name)) };
    expect(route([routeOf()], ORDER, table).message?.headers).toEqual([]);
  });
});

describe('a row that cannot be addressed', () => {
  it.each([
    [null, "routes[0].topic: the column 'aggregatetype' is null"],
    ['', 'routes[0].topic: the template comes to an empty text'],
  ])('with the column %j is a fault', (aggregatetype, message) => {
    const address = { kind: 'topic', topic: '${aggregatetype}' } as const;
    const { fault } = route([routeOf({ address })], { ...ORDER, aggregatetype });
    expect(fault).toMatchObject({ code: 'route_template', message });
  });

  it('may have an exchange or routing key that is written empty', () => {
    const address = { kind: 'exchange', exchange: '', routingKey: '' } as const;
    expect(route([routeOf({ address })], ORDER).message?.address).toEqual(address);
  });
});

describe('matching', () => {
  const specs = [
    routeOf({ match: { aggregatetype: ['order', 'invoice'], type: ['Created'] }, destination: 'rabbit', key: 'r0' }),
    routeOf({ match: { aggregatetype: ['order'] }, key: 'r1' }),
    routeOf({ match: { type: ['Created', ''], aggregatetype: ['other', null] }, key: 'r2' }),
  ];

  it.each([
    ['order', 'Created', 0],
    ['invoice', 'Created', 0],
    ['order', 'Deleted', 1],
    ['order', null, 1],
    ['other', 'Created', 2],
    ['other', '', 2],
    [null, 'Created', 2],
    ['', 'Created', -1],
    ['Order', 'Deleted', -1],
    [null, null, -1],
  ])('takes (%j, %j) by route %i, the first that fits', (aggregatetype, type, index) => {
    const routed = route(specs, { ...ORDER, aggregatetype, type });
    expect(routed.message === null ? routed.route : routed.message.route).toBe(index);
    expect(routed.destination).toBe(index === 0 ? 'rabbit' : 'kafka');
  });

  it('gives a row that no route takes to the first destination, with what the rules went by', () => {
    const routed = route(specs, { ...ORDER, aggregatetype: 'other', type: null });
    expect(routed).toMatchObject({ destination: 'kafka', message: null, key: null, route: -1 });
    expect(routed.fault).toMatchObject({
      code: 'route_none',
      message: "no route takes the row (aggregatetype = 'other', type = null)",
    });
  });

  it.each([[['urgent']], [['urgent', 'type']]])('knows booleans as true and false, matching %j', (columns) => {
    const table = tableOf({ urgent: 'boolean' });
    const match = Object.fromEntries(columns.map((name) => [name, name === 'urgent' ? ['true'] : ['Created']]));
    const taken = (urgent: string) => route([routeOf({ match })], { ...ORDER, urgent }, table).message !== null;
    expect([taken('t'), taken('f')]).toEqual([true, false]);
  });

  it('comes to the same by the look-up for a single column and by trying all routes', () => {
    const value = fc.constantFrom('a', 'b', 'c', '', null);
    const match = fc.oneof(fc.constant({}), fc.record({ aggregatetype: fc.array(value) }));
    const table = tableOf();
    fc.assert(
      fc.property(fc.array(match), value, (matches, aggregatetype) => {
        const routes = matches.map((each) => routeOf({ match: each, address: { kind: 'topic', topic: 't' } }));
        // A second column in a route that can never be reached first turns the look-up off.
        const general = [...routes, routeOf({ match: { type: ['never'] } })];
        const values = { ...ORDER, aggregatetype };
        const index = ({ message, ...routed }: Routed): number =>
          message?.route ?? ('route' in routed ? routed.route : NaN);
        const expected = matches.findIndex(
          (each) => !('aggregatetype' in each) || each.aggregatetype.includes(aggregatetype),
        );
        expect(index(route(routes, values, table))).toBe(expected);
        expect(index(route(general, values, table))).toBe(expected);
      }),
    );
  });
});

describe('dead letters', () => {
  const fault = new RelayError('message_too_large', 'too large');
  const deadLetter = { kind: 'topic', topic: 'dead.${aggregatetype}' } as const;

  it('are the message as it was, with what is wrong', () => {
    const table = tableOf();
    const router = createRouter([routeOf({ deadLetter, onError: 'dead-letter' })], table, ['kafka']);
    const routed = router.route(rowOf(table, { ...ORDER, headers: '{"a": "b"}' }));
    const letter = router.deadLetter(routed, fault);
    expect(router.onError(0)).toBe('dead-letter');
    expect(letter).toMatchObject({
      address: { kind: 'topic', topic: 'dead.order' },
      row: routed.row,
      key: '42',
      type: 'Created',
      body: routed.message?.body,
      headers: [
        ['a', 'b'],
        ['x-outbox-error-code', 'message_too_large'],
        ['x-outbox-error-reason', 'too large'],
        ['x-outbox-position', '17'],
        ['x-outbox-original-topic', 'outbox.event.order'],
      ],
    });
  });

  it('say what can be said of a row that never became a message', () => {
    const table = tableOf();
    const address = { kind: 'exchange', exchange: 'e', routingKey: '${type}' } as const;
    const router = createRouter([routeOf({ address, deadLetter })], table, ['kafka']);
    const routed = router.route(rowOf(table, { ...ORDER, headers: '[]' }));
    const letter = router.deadLetter(routed, routed.fault!);
    expect(letter?.key).toBe('42');
    expect(letter?.body?.toString()).toBe(ORDER.payload);
    expect(letter?.headers).toEqual(
      expect.arrayContaining([
        ['x-outbox-error-code', 'route_headers'],
        ['x-outbox-original-exchange', 'e'],
        ['x-outbox-original-routing-key', 'Created'],
      ]),
    );
  });

  it('are none without an address, for a row that no route takes, and when theirs cannot be filled in', () => {
    const table = tableOf();
    const matched = routeOf({ match: { type: ['Created'] } });
    const router = createRouter([{ ...matched, deadLetter }], table, ['kafka']);
    const of = (values: Readonly<Record<string, string | null>>) =>
      router.deadLetter(router.route(rowOf(table, values)), fault);
    expect(of(ORDER)).not.toBeNull();
    expect(of({ ...ORDER, type: 'Other' })).toBeNull();
    expect(of({ ...ORDER, aggregatetype: null })).toBeNull();
    expect(router.onError(-1)).toBe('park-key');
    const without = createRouter([matched], table, ['kafka']);
    expect(without.deadLetter(without.route(rowOf(table, ORDER)), fault)).toBeNull();
  });
});

describe('what is refused when routes are compiled', () => {
  it.each([
    [{ key: '${nope}' }, "routes[0].key names the column 'nope'"],
    [{ match: { nope: ['x'] } }, "routes[0].match names the column 'nope'"],
    [{ headers: { h: '${' } }, 'routes[0].headers.h: the placeholder at position 1 is not closed'],
    [{ headers: { id: 'x' } }, "routes[0].headers: 'id' cannot be the name of an added header"],
    [{ address: { kind: 'topic', topic: '' } as const }, 'routes[0].topic must not be empty'],
    [
      { deadLetter: { kind: 'topic', topic: '${nope}' } as const },
      "routes[0].deadLetter.topic names the column 'nope'",
    ],
    [{ destination: 'nowhere' }, "routes[0] names the destination 'nowhere'"],
  ])('%j', (spec, message) => {
    expect(configError([routeOf(spec)])).toContain(message);
  });
});

describe('columnsUsed', () => {
  it('names what templates and matches need, each once, without the identity that every row has', () => {
    const spec = routeOf({
      match: { region: ['eu'] },
      key: '${tenant}-${id}',
      headers: { t: '${tenant}', p: '${position}' },
      deadLetter: { kind: 'exchange', exchange: '${dead}', routingKey: 'x' },
    });
    expect(columnsUsed([spec, routeOf()])).toEqual(['region', 'aggregatetype', 'dead', 'tenant', 'aggregateid']);
  });
});
