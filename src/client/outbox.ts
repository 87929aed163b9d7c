import { encodeMessage } from './encode.ts';
import { OutboxError } from './errors.ts';
import type { MessageOf, OutboxMessage, UntypedEvents } from './message.ts';
import { type OutboxOptions, resolveOptions } from './options.ts';
import { ID_RESULT, insertStatement, type OutboxStatement } from './statement.ts';
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
  /** @returns the rows of a statement that returns some */
  insert(tx: Tx, statement: OutboxStatement, parameter: string): Promise<readonly ResultRow[]>;
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
  const { events, trace } = settings;
  const statement = insertStatement(settings);

  /** @param indexOf what errors call a message by its place */
  async function write(
    tx: Tx,
    messages: readonly OutboxMessage[],
    indexOf: (place: number) => number | undefined,
  ): Promise<string[]> {
    adapter.requireTransaction(tx);
    if (messages.length === 0) return [];
    // Here, since the span that is active may be another one once a schema has been awaited.
    const context = trace();
    let valid = messages;
    if (events !== null) {
      valid = await Promise.all(messages.map((message, place) => validateMessage(message, indexOf(place), events)));
      // Who has not awaited this call may have ended the transaction meanwhile: then the event would commit by itself.
      adapter.requireTransaction(tx);
    }
    const encoded = valid.map((message, place) => encodeMessage(message, indexOf(place), context, settings));
    const rows = await adapter.insert(tx, statement, `[${encoded.map(({ json }) => json).join(',')}]`);
    return encoded.map(({ id }, place) => id ?? returnedId(rows[place]));
  }

  return {
    async publish(tx, message) {
      const [id] = await write(tx, [message], () => undefined);
      return id ?? returnedId(undefined);
    },
    publishAll: (tx, messages) => write(tx, messages, (place) => place),
  };
}

function returnedId(row: ResultRow | undefined): string {
  const id = row?.[ID_RESULT];
  if (typeof id === 'string') return id;
  throw new OutboxError('invalid_options', `ids: 'database' expects a column that the database fills`);
}
