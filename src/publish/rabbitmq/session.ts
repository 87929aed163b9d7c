import { RelayError } from '../../core/errors.ts';
import type { Address, OutgoingMessage } from '../../core/message.ts';
import type { PublisherListener, PublisherSession } from '../../core/publisher.ts';
import { PublishingChannel, type ChannelListener } from './channel.ts';
import { notLeading } from '../fence.ts';
import { ConfirmWatch } from './confirm-watch.ts';
import type { Settled } from './confirms.ts';
import type { Connection, ConnectionListener } from './connection.ts';
import { Dispatcher } from './dispatcher.ts';
import { rabbitmqError } from './errors.ts';
import type { Entry } from './lane.ts';
import type { RabbitmqOptions } from './options.ts';
import { SoloPublisher } from './solo.ts';

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
  readonly #connection: Connection;
  #listener: PublisherListener | null;
  readonly #messages: Dispatcher;
  readonly #watch: ConfirmWatch;
  readonly #solo: SoloPublisher;
  #state: State = 'opening';
  #blocked = false;
  #channel: PublishingChannel<Entry> | null = null;
  #flushing = false;
  #closing: Promise<void> | null = null;

  private constructor(
    options: RabbitmqOptions,
    connection: Connection,
    listener: PublisherListener,
    required: readonly Address[],
  ) {
    this.#connection = connection;
    this.#listener = listener;
    this.#messages = new Dispatcher(options, required, connection.frameMax, listener, () => this.#flushSoon());
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
    this.#messages.enqueue(messages);
    this.#flushSoon();
  }

  release(key: string | null): void {
    this.#messages.release(key);
    this.#flushSoon();
  }

  discard(key: string | null): readonly OutgoingMessage[] {
    return this.#messages.discard(key);
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
    this.#messages.retrying(new RelayError('broker_unavailable', `RabbitMQ has an alarm and takes nothing: ${reason}`));
  }

  unblocked(): void {
    this.#blocked = false;
    this.#watch.resume();
    this.#solo.unblocked();
    this.#flushSoon();
  }

  confirmed(settled: readonly Settled<Entry>[]): void {
    this.#messages.confirmed(settled);
    this.#flushSoon();
  }

  nacked(settled: readonly Settled<Entry>[]): void {
    if (this.#messages.nacked(settled) && this.#state === 'up') this.#state = 'draining';
    this.#flushSoon();
  }

  closed(error: unknown, unanswered: readonly Entry[]): void {
    this.#channel = null;
    const fault = this.#messages.channelClosed(error, unanswered);
    if (fault === null) this.#openChannel();
    else this.#fail(fault);
  }

  /**
   * What one read from the socket brings is dealt with together. What it makes room for is written before the relay is
   * told what was stored: that takes longer, and the broker can work meanwhile.
   */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#write();
      this.#messages.tellAcknowledged();
    });
  }

  #write(): void {
    if (this.#state === 'draining' && this.#channel?.unanswered === 0) this.#renewChannel();
    const channel = this.#channel;
    if (this.#state !== 'up' || this.#blocked || channel === null) return;
    if (this.#listener?.maySend() === false) {
      this.#fail(notLeading());
      return;
    }
    this.#messages.sendTo(channel);
    if (this.#listener === null) return;
    this.#connection.flush();
    this.#watch.start();
  }

  #renewChannel(): void {
    this.#messages.channelReplaced();
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
    this.#messages.tellAcknowledged();
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
    this.#messages.stop();
    this.#solo.end(error);
  }
}
