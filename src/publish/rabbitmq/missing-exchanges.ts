import { RelayError } from '../../core/errors.ts';
import type { Address, OutgoingMessage } from '../../core/message.ts';
import { exchangeAddresses } from './setup.ts';

/** For so long an exchange that was missing is not tried again: each try closes the channel for all other messages. */
const REMEMBERED_MS = 10_000;
/** Names come from rows: there may be any number. */
const REMEMBERED = 1_000;

/**
 * Which exchanges the broker does not have. One that the configuration names has to be there, and without it the
 * destination stands still; one whose name a row gave is that row's affair.
 */
export class MissingExchanges {
  readonly #required: ReadonlySet<string>;
  readonly #missing = new Map<string, { readonly fault: RelayError; readonly until: number }>();

  /** @param addresses those that the configuration names */
  constructor(addresses: readonly Address[]) {
    this.#required = new Set(exchangeAddresses(addresses).map(({ exchange }) => exchange));
  }

  /** Whether it is the message's own fault if its exchange is missing. */
  named(message: OutgoingMessage): boolean {
    return !this.#required.has(exchangeOf(message));
  }

  /** The broker has closed the channel because of the message's exchange. Returns what is wrong with the message. */
  found(message: OutgoingMessage, now: number): RelayError {
    const exchange = exchangeOf(message);
    const fault = new RelayError('message_unroutable', `RabbitMQ has no exchange '${exchange}'`, {
      remedy: 'Declare the exchange, or correct the route or the row, then `retry` the row.',
    });
    this.#missing.delete(exchange);
    this.#missing.set(exchange, { fault, until: now + REMEMBERED_MS });
    const [oldest] = this.#missing.keys();
    if (this.#missing.size > REMEMBERED && oldest !== undefined) this.#missing.delete(oldest);
    return fault;
  }

  /** Why the message need not be sent: its exchange was missing a moment ago. Null: nothing is known. */
  faultOf(message: OutgoingMessage, now: number): RelayError | null {
    if (this.#missing.size === 0) return null;
    const missing = this.#missing.get(exchangeOf(message));
    return missing !== undefined && missing.until > now ? missing.fault : null;
  }
}

function exchangeOf({ address }: OutgoingMessage): string {
  return address.kind === 'exchange' ? address.exchange : '';
}
