import { RelayError } from '../../core/errors.ts';
import type { Address, OutgoingMessage } from '../../core/message.ts';
import type { PublisherListener, PublisherSession } from '../../core/publisher.ts';
import { PublishingChannel, type ChannelListener } from './channel.ts';
import { notLeading } from '../fence.ts';
import { ConfirmWatch } from './confirm-watch.ts';
import type { Settled } from './confirms.ts';
import type { Connection, ConnectionListener } from './connection.ts';
import { channelFault, isClosedError, rabbitmqError, rowFault, sizeLimit } from './errors.ts';
import { Isolation } from './isolation.ts';
import { MissingExchanges } from './missing-exchanges.ts';
import type { RabbitmqOptions } from './options.ts';
import { type BrokerLimits, headerRoom, toPublication } from './properties.ts';
import { nackDelay, RetryTimers, returnDelay, StickyNack } from './retries.ts';
import { SoloPublisher } from './solo.ts';
import { type Entry, Window } from './window.ts';

type State = 'up' | 'draining' | 'opening' | 'closed';

/**
 * Publishes in order per key over one connection and one channel, for as long as the fate of every message is known.
 *
 *         ┌────────── a message nacked three times on this channel ──────> draining
 *         │                                                                   │ all in flight answered
 *         │   the broker closed the channel for a message (404, 406, 311)     v
 *        up ────────────────────────────────────────────────────────────> opening
 *         ^                                                                   │
 *         └──── a fresh channel; after a closed one: isolating, that is ──────┘
 *               one message in flight until every suspect was answered
 *
 *     any ── connection lost, confirm overdue, exchange missing, no permission ──> closed: listener.failed
 *     any ── close() ──> closed
 *
 * Beside it stands `blocked`: while the broker has an alarm nothing is sent and no confirm is overdue. A message that
 * is nacked or returned holds its key, not the session, and is tried again with back-off.
 */
export class RabbitmqSession implements PublisherSession, ConnectionListener, ChannelListener<Entry> {
  readonly #options: RabbitmqOptions;
  readonly #connection: Connection;
  #listener: PublisherListener | null;
  readonly #window: Window;
  readonly #isolation = new Isolation<Entry>();
  readonly #missing: MissingExchanges;
  readonly #sticky = new StickyNack();
  readonly #timers = new RetryTimers();
  readonly #watch: ConfirmWatch;
  readonly #solo: SoloPublisher;
  #state: State = 'opening';
  #blocked = false;
  #channel: PublishingChannel<Entry> | null = null;
  #limits: BrokerLimits;
  #acknowledged: OutgoingMessage[] = [];
  #flushing = false;
  #closing: Promise<void> | null = null;

  private constructor(
    options: RabbitmqOptions,
    connection: Connection,
    listener: PublisherListener,
    required: readonly Address[],
  ) {
    this.#options = options;
    this.#missing = new MissingExchanges(required);
    this.#connection = connection;
    this.#listener = listener;
    this.#window = new Window({ ...options.window, perKey: options.ordering === 'strict' ? 1 : Infinity });
    this.#limits = { bodyBytes: null, headerBytes: headerRoom(connection.frameMax) };
    this.#solo = new SoloPublisher(connection, options, listener);
    this.#watch = new ConfirmWatch(
      options.confirmTimeout,
      () => this.#channel?.oldest ?? null,
      () => this.#fail(new RelayError('broker_timeout', `no confirm within ${options.confirmTimeout} ms`)),
    );
  }

  /**
   * @param required where messages go by configuration: these exchanges have to be there
   * @throws RelayError
   */
  static async open(
    options: RabbitmqOptions,
    connection: Connection,
    listener: PublisherListener,
    required: readonly Address[] = [],
  ): Promise<RabbitmqSession> {
    const session = new RabbitmqSession(options, connection, listener, required);
    session.#channel = await PublishingChannel.open<Entry>(connection, session);
    session.#state = 'up';
    connection.listen(session);
    return session;
  }

  enqueue(messages: readonly OutgoingMessage[]): void {
    if (this.#state === 'closed') return;
    for (const message of messages) this.#window.enqueue(message);
    this.#flushSoon();
  }

  release(key: string | null): void {
    this.#window.release(key);
    this.#flushSoon();
  }

  discard(key: string | null): readonly OutgoingMessage[] {
    const discarded = this.#window.discard(key);
    // with relaxed ordering there may be suspects among them, which nobody will answer for any more
    for (const entry of discarded) this.#isolation.cleared(entry);
    return discarded.map((entry) => entry.message);
  }

  publishOne(message: OutgoingMessage): Promise<void> {
    return this.#solo.publish(message);
  }

  close(deadlineMs: number): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    this.#end(new RelayError('broker_unreachable', 'the session was closed'));
    this.#closing = this.#connection.close(deadlineMs);
    return this.#closing;
  }

  lost(error: RelayError): void {
    this.#fail(error);
  }

  blocked(reason: string): void {
    this.#blocked = true;
    this.#watch.suspend();
    this.#solo.blocked();
    const error = new RelayError('broker_unavailable', `RabbitMQ has an alarm and takes nothing: ${reason}`);
    this.#listener?.retrying(error, this.#window.inFlight);
  }

  unblocked(): void {
    this.#blocked = false;
    this.#watch.resume();
    this.#solo.unblocked();
    this.#flushSoon();
  }

  confirmed(settled: readonly Settled<Entry>[]): void {
    const unroutable: Entry[] = [];
    for (const { item, returned } of settled) {
      this.#isolation.cleared(item);
      if (returned) {
        unroutable.push(item);
        continue;
      }
      this.#window.stored(item);
      this.#acknowledged.push(item.message);
    }
    if (unroutable.length > 0) this.#holdUnroutable(unroutable);
    this.#flushSoon();
  }

  nacked(settled: readonly Settled<Entry>[]): void {
    const now = performance.now();
    for (const { item } of settled) {
      this.#isolation.cleared(item);
      if (this.#sticky.nacked(item, now) && this.#state === 'up') this.#state = 'draining';
      this.#retryLater(item, nackDelay(item));
    }
    this.#listener?.retrying(new RelayError('broker_unavailable', 'RabbitMQ nacked: a queue is full'), settled.length);
    this.#flushSoon();
  }

  closed(error: unknown, unanswered: readonly Entry[]): void {
    this.#channel = null;
    if (!this.#isOneOf(unanswered, error)) {
      this.#fail(rabbitmqError(error, 'publish', 'RabbitMQ closed the channel'));
      return;
    }
    const bodyBytes = sizeLimit(error);
    if (bodyBytes !== null) this.#limits = { ...this.#limits, bodyBytes };
    const culprit = this.#isolation.closedWith(unanswered);
    if (culprit === null) {
      this.#window.restore(unanswered);
      const cause = rabbitmqError(error, 'publish', 'RabbitMQ closed the channel for one of the messages on it');
      this.#listener?.retrying(cause, unanswered.length);
    } else {
      this.#refuse(culprit, this.#faultOf(culprit, error));
    }
    this.#openChannel();
  }

  /** Whether the channel was closed for one of these messages, and not for what concerns them all. */
  #isOneOf(unanswered: readonly Entry[], error: unknown): boolean {
    const fault = channelFault(error);
    if (fault === 'exchange') return unanswered.some(({ message }) => this.#missing.named(message));
    return fault === 'row' && unanswered.length > 0;
  }

  #faultOf({ message }: Entry, error: unknown): RelayError {
    if (channelFault(error) === 'exchange') return this.#missing.found(message, performance.now());
    return rowFault(error, 'RabbitMQ refused the message');
  }

  #holdUnroutable(entries: readonly Entry[]): void {
    const now = performance.now();
    let retried = 0;
    let last: RelayError | null = null;
    for (const entry of entries) {
      const error = unroutable(entry.message);
      const delay = returnDelay(entry, this.#options.unroutableRetry, now);
      if (delay === null) {
        this.#refuse(entry, error);
        continue;
      }
      this.#retryLater(entry, delay);
      retried++;
      last = error;
    }
    if (last !== null) this.#listener?.retrying(last, retried);
  }

  #retryLater(entry: Entry, ms: number): void {
    this.#window.retry(entry);
    this.#timers.schedule(ms, () => {
      this.#window.resume(entry);
      this.#flushSoon();
    });
  }

  #refuse(entry: Entry, fault: RelayError): void {
    this.#isolation.cleared(entry);
    this.#window.refuse(entry);
    this.#listener?.refused(entry.message, fault);
  }

  /** All that one read from the socket brings is told, and what it makes room for is sent, together. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state === 'closed') return;
    this.#tellAcknowledged();
    if (this.#state === 'draining' && this.#channel?.unanswered === 0) this.#renewChannel();
    const channel = this.#channel;
    if (this.#state !== 'up' || this.#blocked || channel === null) return;
    if (this.#listener?.maySend() === false) {
      this.#fail(notLeading());
      return;
    }
    this.#connection.gatherWrites(() => this.#send(channel));
    this.#watch.start();
  }

  #tellAcknowledged(): void {
    if (this.#acknowledged.length === 0) return;
    const messages = this.#acknowledged;
    this.#acknowledged = [];
    this.#listener?.acknowledged(messages);
  }

  #send(channel: PublishingChannel<Entry>): void {
    const now = performance.now();
    const take = () => this.#window.take(this.#isolation.active ? 1 : undefined);
    for (let entry = take(); entry !== null; entry = take()) {
      const publication =
        this.#missing.faultOf(entry.message, now) ?? toPublication(entry.message, this.#options.appId, this.#limits);
      if (publication instanceof RelayError) {
        this.#refuse(entry, publication);
        continue;
      }
      try {
        channel.publish(entry, publication, now);
      } catch (error) {
        if (isClosedError(error)) {
          this.#window.restore([entry]);
          return;
        }
        this.#refuse(entry, rowFault(error, 'the client refused the message'));
      }
    }
  }

  #renewChannel(): void {
    this.#sticky.renewed(performance.now());
    this.#channel?.abandon();
    this.#channel = null;
    this.#openChannel();
  }

  #openChannel(): void {
    if (this.#state === 'closed') return;
    this.#state = 'opening';
    PublishingChannel.open<Entry>(this.#connection, this).then(
      (channel) => {
        if (this.#state === 'closed') return;
        this.#channel = channel;
        this.#state = 'up';
        this.#flushSoon();
      },
      (error: unknown) => this.#fail(rabbitmqError(error, 'publish', 'opening a channel')),
    );
  }

  #fail(error: RelayError): void {
    this.#tellAcknowledged();
    const listener = this.#listener;
    if (listener === null) return;
    this.#end(error);
    this.#connection.destroy(error.message);
    listener.failed(error);
  }

  #end(error: RelayError): void {
    this.#state = 'closed';
    this.#listener = null;
    this.#channel?.mute();
    this.#channel = null;
    this.#watch.stop();
    this.#timers.stop();
    this.#solo.end(error);
  }
}

function unroutable(message: OutgoingMessage): RelayError {
  const { address } = message;
  const where = address.kind === 'exchange' ? `exchange '${address.exchange}', key '${address.routingKey}'` : 'a topic';
  return new RelayError('message_unroutable', `RabbitMQ has no queue for the message (${where})`);
}
