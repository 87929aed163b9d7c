import type { RelayError } from '../core/errors.ts';
import type { Address, Header, OutgoingMessage } from '../core/message.ts';
import type { OutboxRow } from '../core/row.ts';
import { type Contents, messageBytes } from './encoder.ts';

/** Of the reason, so many characters are kept: brokers limit headers. */
const REASON_CHARACTERS = 1000;

/** What a dead letter is made from. */
export interface DeadLetterParts {
  readonly row: OutboxRow;
  readonly contents: Omit<Contents, 'trace'>;
  readonly key: string | null;
  readonly route: number;
  /** Where the message was to go; null when that could not be determined. */
  readonly original: Address | null;
  readonly fault: RelayError;
}

/** The names of the headers that a dead letter has beside those of the message. */
export const DEAD_LETTER_HEADERS = {
  code: 'x-outbox-error-code',
  reason: 'x-outbox-error-reason',
  position: 'x-outbox-position',
  topic: 'x-outbox-original-topic',
  exchange: 'x-outbox-original-exchange',
  routingKey: 'x-outbox-original-routing-key',
} as const;

/** The message as it was to be sent, to another address, with what is wrong with it in its headers. */
export function deadLetterMessage(address: Address, parts: DeadLetterParts): OutgoingMessage {
  const { row, key, route, fault } = parts;
  const { body, type, contentType } = parts.contents;
  const headers: Header[] = [
    ...parts.contents.headers,
    [DEAD_LETTER_HEADERS.code, fault.code],
    [DEAD_LETTER_HEADERS.reason, fault.message.slice(0, REASON_CHARACTERS)],
    [DEAD_LETTER_HEADERS.position, String(row.position)],
    ...originHeaders(parts.original),
  ];
  return { row, address, key, body, type, contentType, headers, route, bytes: messageBytes(row, headers) };
}

function originHeaders(original: Address | null): readonly Header[] {
  if (original === null) return [];
  if (original.kind === 'topic') return [[DEAD_LETTER_HEADERS.topic, original.topic]];
  return [
    [DEAD_LETTER_HEADERS.exchange, original.exchange],
    [DEAD_LETTER_HEADERS.routingKey, original.routingKey],
  ];
}
