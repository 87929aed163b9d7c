import { describeError } from '../core/errors.ts';
import type { Delivery } from './message.ts';

/** Why a message is among the dead letters. */
export type DeadLetterReason =
  /** The handler failed each time that it may be tried. */
  | 'attempts_exhausted'
  /** The handler threw MessageRejected. */
  | 'rejected'
  /** The session with the database was lost under the handler, again and again: it may be what ends it. */
  | 'session_lost'
  /** The body is not what it should be. */
  | 'undecodable'
  /** There is no id in it by which duplicates could be told, or one that Postgres cannot hold. */
  | 'no_id'
  /** Not tried: a dead letter of the same order key is before it. */
  | 'key_blocked';

/** A message that is to be written to the dead letters. */
export interface NewDeadLetter extends Omit<Delivery, 'position'> {
  readonly reason: DeadLetterReason;
  /** What went wrong the last time. */
  readonly error: string;
  readonly attempts: number;
}

/** A message among the dead letters. */
export interface DeadLetter extends NewDeadLetter {
  /** Its name in the table; dead letters of a key are in the order of their positions. */
  readonly position: string;
  readonly createdAt: Date;
}

const MAX_ERROR_LENGTH = 2000;

/** What is written of a failure. */
export function errorText(error: unknown): string {
  return storable(describeError(error)).slice(0, MAX_ERROR_LENGTH);
}

/** A delivery as a row: a dead letter must be written whatever is in it, and text in Postgres holds no NUL. */
export function newDeadLetter(
  delivery: Delivery,
  reason: DeadLetterReason,
  error: unknown,
  attempts: number,
): NewDeadLetter {
  const { id, key, orderKey, type, headers, body, source } = delivery;
  return {
    id: id === null ? null : storable(id),
    key: key === null ? null : storable(key),
    orderKey: orderKey === null ? null : storable(orderKey),
    type: type === null ? null : storable(type),
    headers: storableValues(headers),
    body,
    // A routing key may be any bytes.
    source: storableValues(source),
    reason,
    error: errorText(error),
    attempts,
  };
}

function storableValues<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  const stored = <Value>(value: Value): Value => (typeof value === 'string' ? (storable(value) as Value) : value);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [storable(name), stored(value)]));
}

/** Text that Postgres can hold: NUL and halves of surrogate pairs become U+FFFD. */
export function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}
