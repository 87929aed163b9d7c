import { didYouMean } from '../core/suggest.ts';
import { MessageFaults } from './faults.ts';
import type { OutboxMessage } from './message.ts';
import { issuePath, type StandardSchema } from './standard-schema.ts';

/**
 * Holds a message's payload to the schema of its event type. A tombstone has no payload to be held to one.
 *
 * @returns the message with what the schema has made of its payload
 * @throws OutboxError `unknown_event`, `invalid_payload`
 */
export async function validateMessage(
  message: OutboxMessage,
  index: number | undefined,
  events: Readonly<Record<string, StandardSchema>>,
): Promise<OutboxMessage> {
  const faults = new MessageFaults(message.type, index);
  const schema = Object.hasOwn(events, message.type) ? events[message.type] : undefined;
  if (schema === undefined) {
    const near = didYouMean(message.type, Object.keys(events));
    const hint = near === null ? '' : ` (did you mean ${near}?)`;
    throw faults.error('unknown_event', [{ path: 'type', message: `expected one of the outbox's events${hint}` }]);
  }
  if (message.payload === null) return message;
  const result = await schema['~standard'].validate(message.payload);
  if (result.issues === undefined) return { ...message, payload: result.value };
  const issues = result.issues.map((issue) => ({ path: issuePath('payload', issue), message: issue.message }));
  throw faults.error('invalid_payload', issues);
}
