import { contextIn } from '../core/trace-propagation.ts';
import type { Decode, Delivery, InboxMessage } from './message.ts';

/**
 * Makes a message of a delivery with an id.
 *
 * @throws what the decoder does
 */
export function decodeDelivery<Payload>(
  delivery: Delivery & { readonly id: string },
  decode: Decode<Payload>,
): InboxMessage<Payload> {
  const { id, key, orderKey, type, headers, source } = delivery;
  const context = contextIn(Object.entries(headers));
  return {
    id,
    key,
    orderKey,
    type,
    headers,
    payload: delivery.body === null ? null : payloadOf(delivery.body, decode, delivery),
    trace: typeof context === 'string' ? null : context,
    source,
  };
}

function payloadOf<Payload>(body: Buffer, decode: Decode<Payload>, delivery: Delivery): Payload {
  if (typeof decode === 'function') return decode(body, delivery);
  return builtIn(body, decode) as Payload;
}

function builtIn(body: Buffer, decode: 'json' | 'text' | 'bytes'): unknown {
  switch (decode) {
    case 'bytes':
      return body;
    case 'text':
      return utf8(body);
    case 'json':
      return JSON.parse(utf8(body)) as unknown;
  }
}

/** @throws TypeError for bytes that are not UTF-8: `toString` would make other text of them without a word */
function utf8(body: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
}
