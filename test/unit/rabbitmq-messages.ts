import type { OutgoingMessage } from '../../src/core/message.ts';

/** A message with as little as it needs. */
export function testMessage(position: number, parts: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const row = {
    position: BigInt(position),
    id: `id-${position}`,
    values: [],
    lane: 'table',
    xid: null,
    since: 0,
  } as const;
  return {
    row,
    address: { kind: 'exchange', exchange: 'outbox', routingKey: 'order' },
    key: null,
    body: Buffer.from(`{"n":${position}}`),
    type: 'created',
    contentType: 'application/json',
    headers: [],
    route: 0,
    bytes: 100,
    ...parts,
  };
}
