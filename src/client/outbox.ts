import { encodeMessage } from './encode.ts';
import { OutboxError } from './errors.ts';
import type { MessageOf, OutboxMessage, UntypedEvents } from './message.ts';
import { type OutboxOptions, type OutboxSettings, resolveOptions } from './options.ts';
import { ID_RESULT, insertStatement } from './statement.ts';
import { validateMessage } from './validate.ts';

/** Writes events into an outbox table, each in a transaction of its caller. */
export interface Outbox<Tx, Events extends object = UntypedEvents> {
  /**
   * Writes one event.
   *
   * @param tx the transaction that makes the change which the event tells of
   * @returns its id
   * @throws OutboxError before anything is written; errors of the database as the driver throws them
   */
  readonly publish: (tx: Tx, message: MessageOf<Events>) => Promise<string>;
  /**
   * Writes events by one statement; they keep the order in which they are given. None is written if one is refused.
   *
   * @returns their ids, in the same order
   * @throws as {@link publish}
   */
  readonly publishAll: (tx: Tx, messages: readonly MessageOf<Events>[]) => Promise<string[]>;
}

/** A row that a statement gives back. */
export type ResultRow = Readonly<Record<string, unknown>>;

/** How one library runs a statement in a transaction. */
export interface OutboxAdapter<Tx> {
  /** @throws OutboxError `no_transaction` where `tx` is known to be none */
  requireTransaction(tx: Tx): void;
  /** Runs a statement whose only parameter, `$1`, is a text. */
  insert(tx: Tx, statement: string, parameter: string): Promise<readonly ResultRow[]>;
}

/**
 * An outbox over any library. `createOutbox` of each entry point is this with its own adapter.
 *
 * @throws OutboxError `invalid_options`
 */
export function outboxOver<Tx, Events extends object = UntypedEvents>(
  adapter: OutboxAdapter<Tx>,
  options: OutboxOptions<Events> = {},
): Outbox<Tx, Events> {
  const settings = resolveOptions(options);
  const statement = insertStatement(settings);

  async function write(tx: Tx, messages: readonly OutboxMessage[], alone: boolean): Promise<string[]> {
    adapter.requireTransaction(tx);
    if (messages.length === 0) return [];
    const context = settings.trace();
    const valid = await validated(messages, alone, settings);
    const encoded = valid.map((message, index) => encodeMessage(message, alone ? undefined : index, context, settings));
    const rows = await adapter.insert(tx, statement, `[${encoded.map(({ json }) => json).join(',')}]`);
    return encoded.map(({ id }, index) => id ?? returnedId(rows[index]));
  }

  return {
    publish: async (tx, message) => (await write(tx, [message], true)).join(),
    publishAll: (tx, messages) => write(tx, messages, false),
  };
}

async function validated(
  messages: readonly OutboxMessage[],
  alone: boolean,
  { events }: OutboxSettings,
): Promise<readonly OutboxMessage[]> {
  if (events === null) return messages;
  return Promise.all(messages.map((message, index) => validateMessage(message, alone ? undefined : index, events)));
}

function returnedId(row: ResultRow | undefined): string {
  const id = row?.[ID_RESULT];
  if (typeof id === 'string') return id;
  throw new OutboxError('invalid_options', `ids: 'database' expects a column that the database fills`);
}
