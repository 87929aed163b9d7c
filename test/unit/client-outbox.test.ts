import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createOutbox,
  OutboxError,
  type OutboxMessage,
  type OutboxOptions,
  type PgTransaction,
} from '../../src/client/index.ts';
import type { StandardSchema } from '../../src/client/standard-schema.ts';
import { parseHeaders } from '../../src/route/headers.ts';

interface Written {
  readonly columns: Readonly<Record<string, unknown>>;
  readonly payload?: unknown;
}

/** A session that only remembers what it was asked to do. */
class Recorder implements PgTransaction {
  readonly calls: { text: string; rows: Written[] }[] = [];

  query({ text, values }: { text: string; values: unknown[] }): Promise<{ rows: unknown[] }> {
    this.calls.push({ text, rows: JSON.parse(String(values[0])) as Written[] });
    return Promise.resolve({ rows: [] });
  }

  get rows(): readonly Written[] {
    return this.calls.flatMap(({ rows }) => rows);
  }
}

const MESSAGE: OutboxMessage = {
  aggregateType: 'order',
  aggregateId: '42',
  type: 'order.created',
  payload: { total: 1999 },
};

async function written(message: OutboxMessage, options: OutboxOptions = {}): Promise<Written> {
  const tx = new Recorder();
  await createOutbox({ trace: false, ...options }).publish(tx, message);
  expect(tx.rows).toHaveLength(1);
  return tx.rows[0]!;
}

/** What is thrown; with nothing written. */
async function refusal(message: unknown, options: OutboxOptions = {}): Promise<OutboxError> {
  const tx = new Recorder();
  const error: unknown = await createOutbox({ trace: false, ...options })
    .publish(tx, message as OutboxMessage)
    .catch((thrown: unknown) => thrown);
  expect(tx.calls).toEqual([]);
  expect(error).toBeInstanceOf(OutboxError);
  return error as OutboxError;
}

describe('a message', () => {
  it('is written with an id of its own, which is given back', async () => {
    const tx = new Recorder();
    const id = await createOutbox().publish(tx, MESSAGE);
    expect(tx.rows).toEqual([
      {
        columns: { id, aggregatetype: 'order', aggregateid: '42', type: 'order.created', headers: null },
        payload: { total: 1999 },
      },
    ]);
  });

  it('goes into the columns of a mapped table, and into no others', async () => {
    const { columns } = await written(
      { ...MESSAGE, headers: { tenant: 't1' }, extra: { 'Tenant Id': 7 } },
      {
        table: 'app."Out Box"',
        columns: {
          id: 'event_id',
          aggregateType: null,
          aggregateId: 'key',
          type: 'kind',
          headers: 'meta',
          createdAt: 'at',
          extra: ['Tenant Id'],
        },
      },
    );
    expect(Object.keys(columns)).toEqual(['event_id', 'key', 'kind', 'meta', 'at', 'Tenant Id']);
    expect(columns).toMatchObject({ key: '42', kind: 'order.created', meta: { tenant: 't1' }, 'Tenant Id': 7 });
    expect(Date.parse(String(columns.at))).not.toBeNaN();
  });

  it('names table and columns quoted in the statement', async () => {
    const tx = new Recorder();
    const columns = { payload: 'pay"load', extra: ['Tenant'] };
    await createOutbox({ table: 'app."Out""Box"', columns }).publish(tx, { ...MESSAGE, extra: { Tenant: null } });
    expect(tx.calls[0]!.text).toContain('INSERT INTO "app"."Out""Box" (');
    expect(tx.calls[0]!.text).toContain('"Tenant", "pay""load")');
  });

  it.each(['json', 'text', 'bytea'] as const)(
    'without a payload is a tombstone in a column of kind %s',
    async (payload) => {
      expect(await written({ ...MESSAGE, payload: null }, { payload })).not.toHaveProperty('payload');
    },
  );

  it('of bytes is the bytes of the view, not of all that lies behind it', async () => {
    const bytes = new Uint8Array([1, 2, 255, 4]).subarray(1, 3);
    expect((await written({ ...MESSAGE, payload: bytes }, { payload: 'bytea' })).payload).toBe('Av8=');
  });

  it.each<[string, unknown, RegExp, OutboxOptions?]>([
    ['no aggregateId', { ...MESSAGE, aggregateId: undefined }, /^order\.created: aggregateId: expected a text/],
    ['an aggregateId that is a number', { ...MESSAGE, aggregateId: 42 }, /aggregateId: expected a text/],
    ['an empty aggregateType', { ...MESSAGE, aggregateType: '' }, /aggregateType: expected a text that is not empty/],
    ['no type', { ...MESSAGE, type: undefined }, /^a message without type: type: expected a text/],
    ['a type that AMQP cannot carry', { ...MESSAGE, type: 'x'.repeat(256) }, /type: expected at most 255 bytes/],
    ['a NUL', { ...MESSAGE, aggregateId: 'a\0b' }, /aggregateId: expected a text without NUL/],
    ['half a character', { ...MESSAGE, aggregateId: 'a\ud800' }, /without lone surrogates/],
    ['a payload left out', { ...MESSAGE, payload: undefined }, /payload: expected a value; null makes a tombstone/],
    ['bytes for a column of JSON', { ...MESSAGE, payload: Buffer.from('x') }, /payload: expected a JSON value/],
    ['a bigint', { ...MESSAGE, payload: { total: 1n } }, /payload: expected a JSON value/],
    ['a function', { ...MESSAGE, payload: () => 1 }, /payload: expected a JSON value/],
    ['an object for a column of text', MESSAGE, /payload: expected a string/, { payload: 'text' }],
    [
      'a string for a column of bytes',
      { ...MESSAGE, payload: 'x' },
      /payload: expected a Uint8Array/,
      { payload: 'bytea' },
    ],
    ['a nested header', { ...MESSAGE, headers: { a: {} } }, /headers\.a: expected a string, a finite number/],
    ['a header that is not a number', { ...MESSAGE, headers: { a: NaN } }, /headers\.a: expected a string, a finite/],
    ['the relay’s own header', { ...MESSAGE, headers: { id: '1' } }, /headers\.id: expected another name/],
    ['a header without name', { ...MESSAGE, headers: { '': '1' } }, /a name in headers: expected a text/],
    ['headers without a column', { ...MESSAGE, headers: { a: '1' } }, /no column/, { columns: { headers: null } }],
    ['a column that is not mapped', { ...MESSAGE, extra: { tenant: 1 } }, /extra\.tenant: expected a column/],
    ['no value for a column', MESSAGE, /extra\.tenant: expected a value, or null/, { columns: { extra: ['tenant'] } }],
    ['an id where the database makes them', { ...MESSAGE, id: 'x' }, /id: expected none/, { ids: 'database' }],
  ])('with %s is refused', async (_, message, expected, options = {}) => {
    const error = await refusal(message, options);
    expect(error.code).toBe('invalid_message');
    expect(error.message).toMatch(expected);
    expect(error.issues).toHaveLength(1);
  });

  it('that is larger than the limits is refused, whatever takes the room', async () => {
    const limits = { messageBytes: 100, headerBytes: 50 };
    const cases: [Partial<OutboxMessage>, RegExp][] = [
      [{ payload: 'x'.repeat(100) }, /the message: expected at most 100 bytes, not 117/],
      [{ aggregateId: 'é'.repeat(50) }, /the message: expected at most 100 bytes/],
      [{ headers: { name: 'x'.repeat(41) } }, /headers: expected at most 50 bytes, not 51/],
    ];
    for (const [part, expected] of cases) {
      const error = await refusal({ ...MESSAGE, ...part }, { limits });
      expect([error.code, error.message]).toEqual(['message_too_large', expect.stringMatching(expected)]);
    }
    const name = { headers: { name: 'x'.repeat(40) } };
    expect((await written({ ...MESSAGE, payload: 1, ...name }, { limits })).columns).toMatchObject(name);
  });

  it('has headers that the relay can read, whatever they are', async () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(null));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ maxLength: 60 }), value), async (headers) => {
        const tx = new Recorder();
        try {
          await createOutbox({ trace: false }).publish(tx, { ...MESSAGE, headers });
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_message' });
          return;
        }
        const read = parseHeaders(JSON.stringify(tx.rows[0]!.columns.headers));
        const expected = Object.entries(headers).flatMap(([name, each]) => (each === null ? [] : [[name, each]]));
        expect(new Map(read)).toEqual(
          new Map(expected.map(([name, each]) => [name, String(Object.is(each, -0) ? 0 : each)])),
        );
      }),
    );
  });
});

describe('a batch', () => {
  it('is one statement, in the order given, with ids that grow', async () => {
    const tx = new Recorder();
    const messages = Array.from({ length: 10_000 }, (_, i) => ({ ...MESSAGE, aggregateId: `${i}` }));
    const ids = await createOutbox().publishAll(tx, messages);
    expect(tx.calls).toHaveLength(1);
    expect(tx.rows.map(({ columns }) => columns.aggregateid)).toEqual(messages.map(({ aggregateId }) => aggregateId));
    expect(tx.rows.map(({ columns }) => columns.id)).toEqual(ids);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it('of nothing is no statement', async () => {
    const tx = new Recorder();
    expect(await createOutbox().publishAll(tx, [])).toEqual([]);
    expect(tx.calls).toEqual([]);
  });

  it('is refused as a whole, and says which message is at fault', async () => {
    const tx = new Recorder();
    const publishing = createOutbox().publishAll(tx, [MESSAGE, { ...MESSAGE, aggregateId: '' }]);
    await expect(publishing).rejects.toMatchObject({
      code: 'invalid_message',
      index: 1,
      message: 'messages[1] (order.created): aggregateId: expected a text that is not empty',
    });
    expect(tx.calls).toEqual([]);
  });
});

describe('options', () => {
  it.each<[string, OutboxOptions, RegExp]>([
    ['a table that is none', { table: 'a b' }, /^table: expected a table name/],
    ['a name that Postgres would cut', { columns: { id: 'x'.repeat(64) } }, /^columns: .*cannot be the name/],
    ['a column twice', { columns: { id: 'type' } }, /^columns: type is given twice/],
    ['a limit that is none', { limits: { messageBytes: Number.NaN } }, /^limits\.messageBytes: expected/],
    ['a kind of payload that is none', { payload: 'xml' as 'text' }, /^payload: expected one of json, text, bytea/],
    ['ids from elsewhere', { ids: 'serial' as 'database' }, /^ids: expected one of uuidv7, database/],
  ])('with %s are refused', (_, options, expected) => {
    expect(() => createOutbox(options)).toThrow(expect.objectContaining({ code: 'invalid_options' }));
    expect(() => createOutbox(options)).toThrow(expected);
  });
});

describe('events with schemas', () => {
  const events = {
    'order.created': z.object({ total: z.int(), currency: z.string().default('EUR') }),
    'order.renamed': z.object({ lines: z.array(z.object({ sku: z.string() })) }),
  };

  it('are written as the schema returns them', async () => {
    const tx = new Recorder();
    await createOutbox({ events }).publish(tx, { ...MESSAGE, type: 'order.created', payload: { total: 5 } });
    expect(tx.rows[0]!.payload).toEqual({ total: 5, currency: 'EUR' });
  });

  it('are refused with type, path and what was expected, and without the value', async () => {
    const tx = new Recorder();
    const lines = [{ sku: 'a' }, { sku: 123456 as unknown as string }];
    const publishing = createOutbox({ events }).publish(tx, { ...MESSAGE, type: 'order.renamed', payload: { lines } });
    const error = await publishing.catch((thrown: unknown) => thrown as OutboxError);
    expect(error).toMatchObject({ code: 'invalid_payload', eventType: 'order.renamed' });
    expect((error as OutboxError).message).toMatch(/^order\.renamed: payload\.lines\[1\]\.sku: .*expected string/);
    expect((error as OutboxError).message).not.toContain('123456');
    expect(tx.calls).toEqual([]);
  });

  it('of an unknown type are refused, and the one that was meant is named', async () => {
    const message = { ...MESSAGE, type: 'order.craeted' };
    const error = await refusal(message, { events });
    expect(error.code).toBe('unknown_event');
    expect(error.message).toContain('did you mean order.created?');
    expect((await refusal({ ...MESSAGE, type: 'toString' }, { events })).code).toBe('unknown_event');
  });

  it('may be tombstones', async () => {
    const tx = new Recorder();
    await createOutbox({ events }).publish(tx, { ...MESSAGE, type: 'order.created', payload: null });
    expect(tx.rows[0]).not.toHaveProperty('payload');
  });

  it('are validated by schemas that take their time, before anything is written', async () => {
    const slow: StandardSchema<{ n: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          await Promise.resolve();
          const { n } = value as { n: number };
          return n > 0
            ? { value: { n } }
            : { issues: [{ message: 'expected n above 0', path: [{ key: 'n' }, 'a b'] }] };
        },
      },
    };
    const outbox = createOutbox({ events: { counted: slow } });
    const tx = new Recorder();
    const of = (n: number) => ({ ...MESSAGE, type: 'counted' as const, payload: { n } });
    await expect(outbox.publishAll(tx, [of(1), of(0)])).rejects.toThrow(
      'messages[1] (counted): payload.n["a b"]: expected n above 0',
    );
    expect(tx.calls).toEqual([]);
    await outbox.publishAll(tx, [of(1), of(2)]);
    expect(tx.rows.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

describe('what is no transaction', () => {
  const session = (more: object): PgTransaction => Object.assign(new Recorder(), more);

  it.each([
    ['a pool', { idleCount: 0, waitingCount: 0 }, /not a pg\.Pool/],
    ['a client on which BEGIN has not run', { getTransactionStatus: () => 'I' }, /BEGIN has not run/],
  ])('is refused: %s', async (_, more, expected) => {
    const publishing = createOutbox().publish(session(more), MESSAGE);
    await expect(publishing).rejects.toThrow(expect.objectContaining({ code: 'no_transaction' }));
    await expect(publishing).rejects.toThrow(expected);
  });

  it('is refused where it has ended while a schema took its time, as for a caller who does not wait', async () => {
    let status = 'T';
    const tx = new Recorder();
    const event = z.object({ total: z.number() }).refine(async () => Promise.resolve(true));
    const outbox = createOutbox({ events: { 'order.created': event } });
    const publishing = outbox.publish(Object.assign(tx, { getTransactionStatus: () => status }), {
      ...{ ...MESSAGE, type: 'order.created', payload: { total: 1 } },
    });
    status = 'I';
    await expect(publishing).rejects.toMatchObject({ code: 'no_transaction' });
    expect(tx.calls).toEqual([]);
  });

  it('is not what cannot be known: a client of an older version, or one that has failed', async () => {
    for (const more of [{}, { getTransactionStatus: () => 'T' }, { getTransactionStatus: () => 'E' }]) {
      await expect(createOutbox().publish(session(more), MESSAGE)).resolves.toMatch(/-7/);
    }
  });
});
