import { MessageFaults } from './faults.ts';
import { encodeHeaders } from './headers.ts';
import type { OutboxMessage } from './message.ts';
import type { OutboxSettings } from './options.ts';
import { encodePayload } from './payload.ts';
import type { TraceCarrier } from './trace-context.ts';
import { uuidv7 } from './uuid-v7.ts';

/** A message ready to be written. */
export interface EncodedMessage {
  /** Null: the database makes it. */
  readonly id: string | null;
  /** `{"columns": …, "payload": …}`, as `insertStatement` expects it. */
  readonly json: string;
}

/**
 * Makes a message's row, and refuses what the relay or a broker could not take: a row at fault would hold up its key.
 *
 * @param index its place in its batch; undefined: it is alone
 * @throws OutboxError `invalid_message`, `message_too_large`
 */
export function encodeMessage(
  message: OutboxMessage,
  index: number | undefined,
  context: TraceCarrier,
  settings: OutboxSettings,
): EncodedMessage {
  const faults = new MessageFaults(message.type, index);
  const { columns, limits } = settings;
  const id = idOf(message, settings, faults);
  const aggregateType = faults.shortText('aggregateType', message.aggregateType);
  const aggregateId = faults.text('aggregateId', message.aggregateId);
  const type = faults.shortText('type', message.type);
  const { headers, trace, bytes: headerBytes } = encodeHeaders(message, context, columns, faults);
  const payload = encodePayload(message.payload, settings.payload, faults);
  if (headerBytes > limits.headerBytes) throw faults.tooLarge('headers', headerBytes, limits.headerBytes);
  const bytes = payload.bytes + headerBytes + Buffer.byteLength(aggregateId) + Buffer.byteLength(type);
  if (bytes > limits.messageBytes) throw faults.tooLarge('the message', bytes, limits.messageBytes);
  const row = rowOf(
    [
      [id === null ? null : columns.id, id],
      [columns.aggregateType, aggregateType],
      [columns.aggregateId, aggregateId],
      [columns.type, type],
      [columns.headers, headers],
      [columns.createdAt, new Date().toISOString()],
      [columns.trace, trace],
    ],
    extraOf(message, columns.extra, faults),
  );
  return { id, json: `{"columns":${row}${payload.json === null ? '' : `,"payload":${payload.json}`}}` };
}

function idOf({ id }: OutboxMessage, { ids }: OutboxSettings, faults: MessageFaults): string | null {
  if (ids === 'uuidv7') return id === undefined ? uuidv7() : faults.shortText('id', id);
  if (id !== undefined) throw faults.invalid('id', `none, for ids: 'database' leaves it to the column's default`);
  return null;
}

function extraOf(
  { extra = {} }: OutboxMessage,
  columns: readonly string[],
  faults: MessageFaults,
): Readonly<Record<string, unknown>> {
  const unknown = Object.keys(extra).find((column) => !columns.includes(column));
  if (unknown !== undefined) throw faults.invalid(`extra.${unknown}`, `a column that columns.extra names`);
  const missing = columns.find((column) => extra[column] === undefined);
  if (missing !== undefined) throw faults.invalid(`extra.${missing}`, `a value, or null`);
  return extra;
}

function rowOf(
  values: readonly (readonly [column: string | null, value: unknown])[],
  extra: Readonly<Record<string, unknown>>,
): string {
  const named = values.filter(([column]) => column !== null) as readonly (readonly [string, unknown])[];
  return JSON.stringify({ ...Object.fromEntries(named), ...extra });
}
