import { RelayError } from '../../core/errors.ts';
import type { Address, OutgoingMessage } from '../../core/message.ts';
import type { PublisherListener } from '../../core/publisher.ts';
import type { PublishingChannel } from './channel.ts';
import type { Settled } from './confirms.ts';
import { Culprits } from './culprits.ts';
import type { Entry } from './lane.ts';
import type { RabbitmqOptions } from './options.ts';
import { nackDelay, RetryTimers, returnDelay, StickyNack } from './retries.ts';
import { Window } from './window.ts';

type Listener = Pick<PublisherListener, 'acknowledged' | 'refused' | 'retrying'>;

/**
 * The messages of a session: which is sent next, and what comes of each. A message that is nacked or returned holds its
 * key, and is tried again with back-off.
 */
export class Dispatcher {
  readonly #unroutableRetryMs: number;
  readonly #wake: () => void;
  readonly #window: Window;
  readonly #culprits: Culprits;
  readonly #sticky = new StickyNack();
  readonly #timers = new RetryTimers();
  #listener: Listener | null;
  #acknowledged: OutgoingMessage[] = [];

  /**
   * @param required where messages go by configuration
   * @param frameMax the largest frame that the broker takes, in bytes
   * @param wake told when there may be more to send than before, other than by what was called here
   */
  constructor(
    options: RabbitmqOptions,
    required: readonly Address[],
    frameMax: number,
    listener: Listener,
    wake: () => void,
  ) {
    this.#unroutableRetryMs = options.unroutableRetry;
    this.#wake = wake;
    this.#window = new Window({ ...options.window, perKey: options.ordering === 'strict' ? 1 : Infinity });
    this.#culprits = new Culprits(options.appId, required, frameMax);
    this.#listener = listener;
  }

  enqueue(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) this.#window.enqueue(message);
  }

  release(key: string | null): void {
    this.#window.release(key);
  }

  discard(key: string | null): readonly OutgoingMessage[] {
    const discarded = this.#window.discard(key);
    // with relaxed ordering there may be suspects among them, which nobody will answer for any more
    for (const entry of discarded) this.#culprits.cleared(entry);
    return discarded.map((entry) => entry.message);
  }

  /** Publishes all that may be sent now. */
  sendTo(channel: PublishingChannel<Entry>): void {
    const now = performance.now();
    const take = () => this.#window.take(this.#culprits.isolating ? 1 : undefined);
    for (let entry = take(); entry !== null; entry = take()) {
      const publication = this.#culprits.examine(entry, now);
      if (publication instanceof RelayError) {
        this.#refuse(entry, publication);
        // whoever was told may have closed the session
        if (this.#listener === null) return;
      } else if (!channel.publish(entry, publication, now)) {
        this.#window.restore([entry]);
        return;
      }
    }
  }

  /** The broker is done with these. Those that it has are told by {@link tellAcknowledged}. */
  confirmed(settled: readonly Settled<Entry>[]): void {
    const unroutable: Entry[] = [];
    for (const { item, returned } of settled) {
      this.#culprits.cleared(item);
      if (returned) {
        unroutable.push(item);
        continue;
      }
      this.#window.stored(item);
      this.#acknowledged.push(item.message);
    }
    if (unroutable.length > 0) this.#returned(unroutable);
  }

  /** The broker has not taken these. Returns whether the channel itself is the cause, and should be replaced. */
  nacked(settled: readonly Settled<Entry>[]): boolean {
    const now = performance.now();
    let sticky = false;
    for (const { item } of settled) {
      this.#culprits.cleared(item);
      if (this.#sticky.nacked(item, now)) sticky = true;
      this.#retryLater(item, nackDelay(item));
    }
    this.retrying(new RelayError('broker_unavailable', 'RabbitMQ nacked: a queue is full'), settled.length);
    return sticky;
  }

  /** The broker closed the channel with these in flight. Returns what that means for all messages, if it does. */
  channelClosed(error: unknown, unanswered: readonly Entry[]): RelayError | null {
    const verdict = this.#culprits.channelClosed(error, unanswered, performance.now());
    switch (verdict.of) {
      case 'all':
        return verdict.fault;
      case 'suspects':
        this.#window.restore(unanswered);
        this.retrying(verdict.fault, unanswered.length);
        return null;
      case 'one':
        this.#refuse(verdict.culprit, verdict.fault);
        return null;
    }
  }

  /** {@link nacked} asked for it: there will be another channel. */
  channelReplaced(): void {
    this.#sticky.renewed(performance.now());
  }

  tellAcknowledged(): void {
    if (this.#acknowledged.length === 0) return;
    const messages = this.#acknowledged;
    this.#acknowledged = [];
    this.#listener?.acknowledged(messages);
  }

  /** @param messages how many it befell; by default all in flight */
  retrying(fault: RelayError, messages = this.#window.inFlight): void {
    this.#listener?.retrying(fault, messages);
  }

  /** Tells nothing more, and does nothing more by itself. */
  stop(): void {
    this.#listener = null;
    this.#timers.stop();
  }

  #returned(entries: readonly Entry[]): void {
    const now = performance.now();
    let retried = 0;
    let last: RelayError | null = null;
    for (const entry of entries) {
      const error = unroutable(entry.message);
      const delay = returnDelay(entry, this.#unroutableRetryMs, now);
      if (delay === null) {
        this.#refuse(entry, error);
        continue;
      }
      this.#retryLater(entry, delay);
      retried++;
      last = error;
    }
    if (last !== null) this.retrying(last, retried);
  }

  #retryLater(entry: Entry, ms: number): void {
    this.#window.retry(entry);
    this.#timers.schedule(ms, () => {
      this.#window.resume(entry);
      this.#wake();
    });
  }

  #refuse(entry: Entry, fault: RelayError): void {
    this.#culprits.cleared(entry);
    this.#window.refuse(entry);
    // in the order in which it came to pass: what was stored before it may be of its key
    this.tellAcknowledged();
    this.#listener?.refused(entry.message, fault);
  }
}

function unroutable(message: OutgoingMessage): RelayError {
  const { address } = message;
  const where = address.kind === 'exchange' ? `exchange '${address.exchange}', key '${address.routingKey}'` : 'a topic';
  return new RelayError('message_unroutable', `RabbitMQ has no queue for the message (${where})`);
}
