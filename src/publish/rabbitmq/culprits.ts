import type { RelayError } from '../../core/errors.ts';
import type { Address } from '../../core/message.ts';
import { channelFault, rabbitmqError, rowFault, sizeLimit } from './errors.ts';
import { Isolation } from './isolation.ts';
import type { Entry } from './lane.ts';
import { MissingExchanges } from './missing-exchanges.ts';
import { type BrokerLimits, headerRoom, type Publication, toPublication } from './properties.ts';

/** Why the broker closed the channel. */
export type Verdict =
  /** For what concerns all messages. */
  | { readonly of: 'all'; readonly fault: RelayError }
  /** For one of those in flight; which of them is found by sending one at a time. */
  | { readonly of: 'suspects'; readonly fault: RelayError }
  | { readonly of: 'one'; readonly culprit: Entry; readonly fault: RelayError };

/**
 * What the broker finds wrong with messages. It closes the channel for one and does not name it: here it is found, and
 * what is learnt from it (a limit of size, an exchange that is missing) is held against later ones before they are sent.
 */
export class Culprits {
  readonly #appId: string;
  readonly #missing: MissingExchanges;
  readonly #isolation = new Isolation<Entry>();
  #limits: BrokerLimits;

  /**
   * @param required where messages go by configuration: without these exchanges all stands still
   * @param frameMax the largest frame that the broker takes, in bytes
   */
  constructor(appId: string, required: readonly Address[], frameMax: number) {
    this.#appId = appId;
    this.#missing = new MissingExchanges(required);
    this.#limits = { bodyBytes: null, headerBytes: headerRoom(frameMax) };
  }

  /** Whether one of several is looked for: only one may be in flight. */
  get isolating(): boolean {
    return this.#isolation.active;
  }

  /** The message as it is to be published, or what is known to be wrong with it. */
  examine({ message }: Entry, now: number): Publication | RelayError {
    return this.#missing.faultOf(message, now) ?? toPublication(message, this.#appId, this.#limits);
  }

  /** The broker answered for it without closing the channel, or nobody waits for its answer any more. */
  cleared(entry: Entry): void {
    this.#isolation.cleared(entry);
  }

  /** The broker closed the channel with these in flight. */
  channelClosed(error: unknown, unanswered: readonly Entry[], now: number): Verdict {
    if (!this.#isOneOf(unanswered, error)) {
      return { of: 'all', fault: rabbitmqError(error, 'publish', 'RabbitMQ closed the channel') };
    }
    const bodyBytes = sizeLimit(error);
    if (bodyBytes !== null) this.#limits = { ...this.#limits, bodyBytes };
    const culprit = this.#isolation.closedWith(unanswered);
    if (culprit !== null) return { of: 'one', culprit, fault: this.#faultOf(culprit, error, now) };
    const fault = rabbitmqError(error, 'publish', 'RabbitMQ closed the channel for one of the messages on it');
    return { of: 'suspects', fault };
  }

  #isOneOf(unanswered: readonly Entry[], error: unknown): boolean {
    const fault = channelFault(error);
    if (fault === 'exchange') return unanswered.some(({ message }) => this.#missing.named(message));
    return fault === 'row' && unanswered.length > 0;
  }

  #faultOf({ message }: Entry, error: unknown, now: number): RelayError {
    if (channelFault(error) === 'exchange') return this.#missing.found(message, now);
    return rowFault(error, 'RabbitMQ refused the message');
  }
}
