import type { TraceContext } from '../core/trace.ts';

/** Where a delivery comes from, for handlers and for whoever reads dead letters. */
export type DeliverySource = Readonly<Record<string, string | number | boolean>>;

/** A message as it came from a broker, its body not yet decoded. */
export interface Delivery {
  /** The dedup key; null: none was found. */
  readonly id: string | null;
  /** The message's key, null when it has none. */
  readonly key: string | null;
  /**
   * Deliveries with the same order key are handled one after the other. Null: no order. Adapters make it of where the message
   * lies and of its key, so that equal keys of two topics do not wait for each other.
   */
  readonly orderKey: string | null;
  readonly type: string | null;
  /** As text; of a name that stands more than once, the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null: a tombstone. */
  readonly body: Buffer | null;
  readonly source: DeliverySource;
  /** Names this place in the broker's log, the same when it is read again; null where a broker has no such name. */
  readonly position: string | null;
}

/** What a message needs, to be handled once: an id, and an order key where a dead letter holds its key back. */
export interface Identified {
  /** The dedup key, as the producer gave it. It must never change for the same message, and never be used for another. */
  readonly id: string;
  readonly orderKey?: string | null;
}

/** A message as handlers get it. */
export interface InboxMessage<Payload = unknown> extends Identified {
  readonly key: string | null;
  readonly orderKey: string | null;
  readonly type: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The decoded body; null for a tombstone. */
  readonly payload: Payload | null;
  /** The span that sent the message, by its W3C headers; null: none, or malformed. */
  readonly trace: TraceContext | null;
  readonly source: DeliverySource;
}

/** What a handler gets beside the message. */
export interface HandlerContext {
  /** Aborted when the time for the handler is over, or the consumer must end: hand it on to `fetch` and the like. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt of this process. */
  readonly attempt: number;
}

/**
 * Does a message's work. All that it writes through `tx` is committed together with the message's id, or not at all.
 * It must neither end the transaction nor use `tx` after it has returned.
 *
 * @throws MessageRejected when no attempt can ever succeed; anything else is tried again
 */
export type Handler<Client, Message> = (tx: Client, message: Message, context: HandlerContext) => Promise<unknown>;

/** How bodies are read; a function may validate as well, and says by throwing that a body is not what it should be. */
export type Decode<Payload> = 'json' | 'text' | 'bytes' | ((body: Buffer, delivery: Delivery) => Payload);

/** What became of a delivery. */
export type Outcome =
  /** The handler's writes and the id are committed. */
  | 'handled'
  /** The id was there already: the handler did not run, or what it did was rolled back. */
  | 'duplicate'
  /** Put among the dead letters. */
  | 'dead-lettered'
  /** Put among the dead letters, unhandled, behind one of the same order key. */
  | 'held'
  /** Not settled, since the consumer ends or has lost the partition: it must not be acknowledged. */
  | 'abandoned';
