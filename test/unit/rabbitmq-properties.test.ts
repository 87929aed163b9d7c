import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import {
  type BrokerLimits,
  headerRoom,
  type Publication,
  toPublication,
} from '../../src/publish/rabbitmq/properties.ts';
import { testMessage } from './rabbitmq-messages.ts';

const LIMITS: BrokerLimits = { bodyBytes: null, headerBytes: headerRoom(131_072) };

function publication(...[position, parts]: Parameters<typeof testMessage>): Publication {
  const encoded = toPublication(testMessage(position, parts), 'app', LIMITS);
  if (encoded instanceof RelayError) throw encoded;
  return encoded;
}

function refusal(parts: Parameters<typeof testMessage>[1], limits = LIMITS): string {
  const encoded = toPublication(testMessage(1, parts), 'app', limits);
  return encoded instanceof RelayError ? encoded.code : 'none';
}

describe('a publication', () => {
  it('carries the dedup key, type, time and headers, and is persistent and mandatory', () => {
    const row = { ...testMessage(7).row, since: 1_700_000_000_999 };
    const { exchange, routingKey, options } = publication(7, { row, headers: [['trace', 'abc']] });
    expect({ exchange, routingKey }).toEqual({ exchange: 'outbox', routingKey: 'order' });
    expect(options).toMatchObject({
      persistent: true,
      mandatory: true,
      messageId: 'id-7',
      type: 'created',
      contentType: 'application/json',
      timestamp: 1_700_000_000,
      appId: 'app',
    });
    expect({ ...options.headers }).toEqual({ trace: 'abc', 'x-deduplication-header': 'id-7' });
  });

  it('leaves out what is not known', () => {
    const row = { ...testMessage(7).row, since: Number.NaN };
    const { options } = publication(7, { row, type: null });
    expect(options).not.toHaveProperty('timestamp');
    expect(options).not.toHaveProperty('type');
  });

  it('of a tombstone has an empty body and says that it is one', () => {
    const { body, options } = publication(1, { body: null });
    expect(body).toHaveLength(0);
    expect({ ...options.headers }).toMatchObject({ 'x-outbox-tombstone': true });
    expect({ ...publication(1, { body: Buffer.alloc(0) }).options.headers }).not.toHaveProperty('x-outbox-tombstone');
  });

  it('has the dedup key and no other where a row has a header of that name, and any name as a header', () => {
    const { options } = publication(1, {
      headers: [
        ['x-deduplication-header', 'forged'],
        ['__proto__', 'text'],
      ],
    });
    expect(Object.entries(options.headers as object)).toEqual([
      ['x-deduplication-header', 'id-1'],
      ['__proto__', 'text'],
    ]);
  });

  it.each([
    ['routing key', { address: { kind: 'exchange', exchange: 'e', routingKey: 'ä'.repeat(128) } }],
    ['exchange', { address: { kind: 'exchange', exchange: 'e'.repeat(256), routingKey: '' } }],
    ['id', { row: { ...testMessage(1).row, id: 'i'.repeat(256) } }],
    ['type', { type: 't'.repeat(256) }],
    ['content type', { contentType: 't'.repeat(256) }],
    ['header name', { headers: [['n'.repeat(256), '']] }],
    ['CC header', { headers: [['CC', 'somewhere']] }],
    ['topic address', { address: { kind: 'topic', topic: 't' } }],
  ] as const)('is refused for its %s', (_, parts) => {
    expect(refusal(parts)).toBe('message_invalid');
  });

  it('may have names and keys of 255 bytes', () => {
    expect(refusal({ address: { kind: 'exchange', exchange: 'e'.repeat(255), routingKey: 'ä'.repeat(127) } })).toBe(
      'none',
    );
  });

  it('is refused for headers that do not fit', () => {
    expect(refusal({ headers: [['big', 'x'.repeat(61 * 1024)]] })).toBe('message_too_large');
    expect(refusal({ headers: [['big', 'x'.repeat(5000)]] }, { bodyBytes: null, headerBytes: headerRoom(8192) })).toBe(
      'message_too_large',
    );
  });

  it('is refused for a body over what the broker said it takes', () => {
    const limits = { ...LIMITS, bodyBytes: 10 };
    expect(refusal({ body: Buffer.alloc(11) }, limits)).toBe('message_too_large');
    expect(refusal({ body: Buffer.alloc(10) }, limits)).toBe('none');
  });
});
