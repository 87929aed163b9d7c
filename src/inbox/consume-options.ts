import type { InboxClient } from './client.ts';
import type { Decode, Delivery, Handler, InboxMessage } from './message.ts';
import { wholeNumber } from './options.ts';

/** What all adapters are given. */
export interface ConsumeOptions<Client extends InboxClient, Payload> {
  readonly handler: Handler<Client, InboxMessage<Payload>>;
  /** How bodies are read. One that cannot be read goes to the dead letters at once. @default 'json' */
  readonly decode?: Decode<Payload>;
  /**
   * Where the dedup key is: names of headers, of which the first that is there counts, or a function of what was received, with
   * what the adapter found by default. A message without goes to the dead letters.
   */
  readonly id?: readonly string[] | ((delivery: Delivery) => string | null);
  /** Which messages are handled in order: those with the same order key. Null: none. @default by the adapter */
  readonly orderKey?: (delivery: Delivery) => string | null;
  /** Attempts that run at a time; the pool has to have as many clients. @default 10 */
  readonly concurrency?: number;
  /** Messages that are taken from the broker and not settled, those that wait for their key included. @default 10 for each of `concurrency` */
  readonly maxInFlight?: number;
}

/** The options with all defaults, checked. */
export interface ConsumeSettings<Client extends InboxClient, Payload> {
  readonly handler: Handler<Client, InboxMessage<Payload>>;
  readonly decode: Decode<Payload>;
  /** Gives a delivery the id and the order key that the options say. */
  readonly identify: (delivery: Delivery) => Delivery;
  readonly concurrency: number;
  readonly maxInFlight: number;
}

/** A consumer at work. */
export interface Consuming {
  /**
   * Settles when nothing is handled any more: resolves after `stop`, and where the broker has taken the consumer or its channel
   * away; never rejects.
   */
  readonly ended: Promise<void>;
  /**
   * Takes nothing more, lets the handlers that run come to their ends, acknowledges what is done, and resolves. What has not
   * been begun is left to the broker.
   */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /** After so long handlers that still run are aborted and rolled back, in ms. @default 30000 */
  readonly deadlineMs?: number;
}

const DEFAULT_CONCURRENCY = 10;
const IN_FLIGHT_PER_SLOT = 10;

/** @throws InboxError `invalid_options` */
export function resolveConsumeOptions<Client extends InboxClient, Payload>(
  options: ConsumeOptions<Client, Payload>,
): ConsumeSettings<Client, Payload> {
  const concurrency = wholeNumber('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY, 1);
  const { id, orderKey } = options;
  return {
    handler: options.handler,
    decode: options.decode ?? 'json',
    concurrency,
    maxInFlight: wholeNumber('maxInFlight', options.maxInFlight ?? concurrency * IN_FLIGHT_PER_SLOT, 1),
    identify: (found) => {
      const delivery =
        id === undefined
          ? found
          : { ...found, id: typeof id === 'function' ? textOrNull(id(found)) : firstHeader(found.headers, id) };
      return orderKey === undefined ? delivery : { ...delivery, orderKey: orderKeyOf(orderKey(delivery)) };
    },
  };
}

/** What a function has found in a body may be anything, whatever its type says: `JSON.parse(…).id`. */
function textOrNull(found: unknown): string | null {
  return typeof found === 'string' ? found : null;
}

/** A number names a key as well as a text does: to have none is to give up the order. */
function orderKeyOf(found: unknown): string | null {
  if (typeof found === 'number' || typeof found === 'bigint') return String(found);
  return textOrNull(found);
}

/** The value of the first of these headers that is there; null: none is. */
export function firstHeader(headers: Readonly<Record<string, string>>, names: readonly string[]): string | null {
  const name = names.find((each) => Object.hasOwn(headers, each));
  return name === undefined ? null : (headers[name] ?? null);
}
