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
  it('carries the dedup key, type, time and headers', () => {
    const row = { ...testMessage(7).row, since: 1_700_000_000_999 };
    expect(publication(7, { row, headers: [['trace', 'abc']] })).toEqual({
      exchange: 'outbox',
      routingKey: 'order',
      messageId: 'id-7',
      type: 'created',
      contentType: 'application/json',
      timestamp: 1_700_000_000,
      appId: 'app',
      headers: new Map([
        ['trace', 'abc'],
        ['x-deduplication-header', 'id-7'],
      ]),
      body: Buffer.from('{"n":7}'),
    });
  });

  it('leaves out what is not known', () => {
    const row = { ...testMessage(7).row, since: Number.NaN };
    expect(publication(7, { row, type: null })).toMatchObject({ timestamp: null, type: null });
  });

  it('of a tombstone has an empty body and says that it is one', () => {
    const { body, headers } = publication(1, { body: null });
    expect(body).toHaveLength(0);
    expect(headers.get('x-outbox-tombstone')).toBe(true);
    expect(publication(1, { body: Buffer.alloc(0) }).headers.has('x-outbox-tombstone')).toBe(false);
  });

  it('has the dedup key and no other where a row has a header of that name, and any name as a header', () => {
    const { headers } = publication(1, {
      headers: [
        ['x-deduplication-header', 'forged'],
        ['__proto__', 'text'],
      ],
    });
    expect([...headers]).toEqual([
      ['x-deduplication-header', 'id-1'],
      ['__proto__', 'text'],
    ]);
  });

  it('has each header once, the last of a name, as AMQP wants it', () => {
    const { headers } = publication(1, {
      headers: [
        ['trace', 'first'],
        ['other', 'x'],
        ['trace', 'last'],
      ],
    });
    expect([...headers]).toEqual([
      ['trace', 'last'],
      ['other', 'x'],
      ['x-deduplication-header', 'id-1'],
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
