import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureKind, recordedId } from '../../src/inbox/attempt.ts';
import { resolveConsumeOptions } from '../../src/inbox/consume-options.ts';
import { decodeDelivery } from '../../src/inbox/decode.ts';
import { InboxError, inboxTablesSql, MessageRejected } from '../../src/inbox/index.ts';
import { kafkaDelivery } from '../../src/inbox/kafka-intake.ts';
import { samplesOf } from '../support/doc-samples.ts';

const handler = (): Promise<void> => Promise.resolve();
const record = (headers: Readonly<Record<string, string>>, key: string | null = 'k') =>
  kafkaDelivery({
    ...{ topic: 'orders', partition: 2, offset: 17n, headers },
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from('{"a":1}'),
  });

describe('a record of Kafka', () => {
  it('has its id where the relay, Debezium or CloudEvents put it, and its order within its topic', () => {
    expect(record({ id: 'a', type: 'made' })).toMatchObject({
      ...{ id: 'a', key: 'k', orderKey: 'orders/k', type: 'made', position: 'orders/2/17' },
      source: { broker: 'kafka', topic: 'orders', partition: 2, offset: '17' },
    });
    expect(record({ ce_id: 'b', ce_type: 'made' })).toMatchObject({ id: 'b', type: 'made' });
    expect(record({ ce_id: 'b', id: 'a' }).id).toBe('a');
    expect(record({}, null)).toMatchObject({ id: null, key: null, orderKey: null });
  });

  it('has its id and its order where the options say', () => {
    const { identify } = resolveConsumeOptions({
      handler,
      id: ['event-id', 'ce_id'],
      orderKey: ({ headers }) => headers.tenant ?? null,
    });
    expect(identify(record({ id: 'a', ce_id: 'b', tenant: 't' }))).toMatchObject({ id: 'b', orderKey: 't' });
    expect(identify(record({ id: 'a' }))).toMatchObject({ id: null, orderKey: null });
    const inBody = resolveConsumeOptions({ handler, id: ({ id, body }) => `${id}/${body?.length}` });
    expect(inBody.identify(record({ id: 'a' })).id).toBe('a/7');
    expect(record({ constructor: 'x' }).id).toBeNull();
  });

  it('has no id where a function finds none in a body, or none that is a text, and keeps the order of numbers', () => {
    // As `JSON.parse` has it: the compiler knows nothing of what is in a body.
    const found = (id: unknown, orderKey: unknown): unknown => {
      const { identify } = resolveConsumeOptions({
        ...{ handler, id: () => id as string, orderKey: () => orderKey as string },
      });
      const { id: foundId, orderKey: foundKey } = identify(record({ id: 'a' }));
      return [foundId, foundKey];
    };
    expect(found(undefined, undefined)).toEqual([null, null]);
    expect(found(5, 7)).toEqual([null, '7']);
    expect(found({}, {})).toEqual([null, null]);
    expect(found('b', 'k')).toEqual(['b', 'k']);
  });

  it('is no record of options that cannot be', () => {
    for (const wrong of [{ concurrency: 0 }, { concurrency: 1.5 }, { maxInFlight: 0 }])
      expect(() => resolveConsumeOptions({ handler, ...wrong })).toThrow(InboxError);
  });
});

describe('a body', () => {
  const decoded = (body: Buffer | null, decode: Parameters<typeof decodeDelivery>[1]): unknown =>
    decodeDelivery({ ...record({}), id: 'a', body }, decode).payload;

  it('is read as the options say', () => {
    const body = Buffer.from('{"n": 1}');
    expect(decoded(body, 'json')).toEqual({ n: 1 });
    expect(decoded(body, 'text')).toBe('{"n": 1}');
    expect(decoded(body, 'bytes')).toBe(body);
    expect(decoded(body, (bytes, { id }) => `${id} ${bytes.length}`)).toBe('a 8');
    expect(decoded(null, () => 'never')).toBeNull();
    expect(() => decoded(Buffer.from([0xff]), 'text')).toThrow(TypeError);
    expect(() => decoded(Buffer.alloc(0), 'json')).toThrow(SyntaxError);
  });

  it('comes with the trace of its headers, if that is one', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const traceOf = (headers: Record<string, string>): unknown =>
      decodeDelivery({ ...record(headers), id: 'a' }, 'json').trace;
    expect(traceOf({ traceparent, tracestate: 'a=b' })).toMatchObject({ spanId: 'b7ad6b7169203331', state: 'a=b' });
    expect([traceOf({}), traceOf({ traceparent: 'none' })]).toEqual([null, null]);
  });
});

describe('an attempt that failed', () => {
  const state = (code: string): Error => Object.assign(new Error(code), { code });
  const lost = new Error('Connection terminated unexpectedly');

  it.each([
    ['the handler says so', new MessageRejected('no'), null, 'rejected'],
    ['it throws', new Error('no'), null, 'failed'],
    ['a service is away', state('ECONNREFUSED'), null, 'failed'],
    ['a constraint', state('23505'), null, 'failed'],
    ['a deadlock', state('40P01'), null, 'failed'],
    ['its statement takes too long', state('57014'), null, 'failed'],
    ['the database shuts down', state('57P01'), null, 'unavailable'],
    ['it shut down before', lost, state('57P01'), 'unavailable'],
    ['it idles in its transaction', lost, state('25P03'), 'failed'],
    ['a full disk', state('53100'), null, 'unavailable'],
    ['a standby', new Error('wrapped', { cause: state('25006') }), null, 'unavailable'],
    ['no session', new InboxError('database_unavailable', 'x', { cause: state('28P01') }), null, 'unavailable'],
    ['the session is gone', lost, lost, 'session_lost'],
  ])('by this: %s', (_, error, session, kind) => {
    expect(failureKind(error, session)).toBe(kind);
  });
});

describe('what is shown', () => {
  it('of the tables is what is made', () => {
    const [shown] = samplesOf('docs/inbox.md').filter(({ text }) => text.includes('CREATE TABLE'));
    expect(inboxTablesSql().replaceAll('"public".', '').replaceAll('"', '')).toBe(`${shown?.text.trim()}\n`);
  });

  it('of long ids is that their hash is recorded', () => {
    expect(recordedId('x'.repeat(255))).toHaveLength(255);
    expect(recordedId('x'.repeat(256))).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

describe('the subpaths', () => {
  it('load no client library: pool and consumer are those of the caller', () => {
    const folder = join(import.meta.dirname, '../../src/inbox');
    const loaded = readdirSync(folder).flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/^import (?!type\b)[^;]*?from '([^.'][^']*)'/gm)].map(
        ([, name]) => name,
      ),
    );
    expect(loaded).toContain('node:events');
    expect(loaded.filter((name) => name?.startsWith('node:') === false)).toEqual([]);
  });
});
