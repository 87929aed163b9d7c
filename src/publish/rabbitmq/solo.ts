import { RelayError } from '../../core/errors.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { PublisherListener } from '../../core/publisher.ts';
import { assertMaySend } from '../fence.ts';
import type { Settled } from './confirms.ts';
import type { Connection } from './connection.ts';
import { type ChannelListener, PublishingChannel } from './channel.ts';
import { ConfirmWatch } from './confirm-watch.ts';
import { channelFault, rabbitmqError, rowFault } from './errors.ts';
import type { RabbitmqOptions } from './options.ts';
import { headerRoom, toPublication } from './properties.ts';

interface Answer {
  resolve(): void;
  reject(error: RelayError): void;
}

type SoloOptions = Pick<RabbitmqOptions, 'appId' | 'confirmTimeout'>;

/**
 * Publishes single messages, one at a time, on a channel of its own: a dead-letter exchange that is missing then
 * harms nobody else, and a closed channel is the fault of the one message on it.
 */
export class SoloPublisher implements ChannelListener<Answer> {
  readonly #connection: Connection;
  readonly #options: SoloOptions;
  readonly #fence: Pick<PublisherListener, 'maySend'>;
  readonly #watch: ConfirmWatch;
  #channel: PublishingChannel<Answer> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  readonly #pending = new Set<Answer>();
  #ended: RelayError | null = null;

  constructor(connection: Connection, options: SoloOptions, fence: Pick<PublisherListener, 'maySend'>) {
    this.#connection = connection;
    this.#options = options;
    this.#fence = fence;
    const { confirmTimeout } = options;
    this.#watch = new ConfirmWatch(
      confirmTimeout,
      () => this.#channel?.oldest ?? null,
      () => this.#expired(),
    );
  }

  /** Resolves once the message is confirmed and was not returned; rejects with a RelayError. */
  publish(message: OutgoingMessage): Promise<void> {
    const published = new Promise<void>((resolve, reject) => {
      const answer: Answer = { resolve, reject };
      if (this.#ended !== null) {
        reject(this.#ended);
        return;
      }
      this.#pending.add(answer);
      this.#last = this.#last.then(() => this.#attempt(message, answer));
    });
    return published;
  }

  /** Rejects whatever is pending and to come. */
  end(error: RelayError): void {
    this.#ended = error;
    this.#watch.stop();
    for (const answer of this.#pending) answer.reject(error);
    this.#pending.clear();
  }

  /** The broker has an alarm and answers nothing: that is not the message's fault, and no answer is late. */
  blocked(): void {
    this.#watch.suspend();
  }

  unblocked(): void {
    this.#watch.resume();
  }

  async #attempt(message: OutgoingMessage, answer: Answer): Promise<void> {
    try {
      if (this.#ended !== null) throw this.#ended;
      await this.#publish(message);
      answer.resolve();
    } catch (error) {
      answer.reject(rabbitmqError(error, 'publish', 'publishing one message'));
    } finally {
      this.#pending.delete(answer);
    }
  }

  async #publish(message: OutgoingMessage): Promise<void> {
    const publication = toPublication(message, this.#options.appId, {
      bodyBytes: null,
      headerBytes: headerRoom(this.#connection.frameMax),
    });
    if (publication instanceof RelayError) throw publication;
    const channel = (this.#channel ??= await PublishingChannel.open<Answer>(this.#connection, this));
    assertMaySend(this.#fence);
    await new Promise<void>((resolve, reject) => {
      if (!channel.publish({ resolve, reject }, publication, performance.now())) {
        reject(new RelayError('broker_unreachable', 'the channel was closed'));
        return;
      }
      this.#connection.flush();
      this.#watch.start();
    });
  }

  confirmed(settled: readonly Settled<Answer>[]): void {
    for (const { item, returned } of settled) {
      if (returned) item.reject(new RelayError('message_unroutable', 'RabbitMQ has no queue for the message'));
      else item.resolve();
    }
  }

  nacked(settled: readonly Settled<Answer>[]): void {
    for (const { item } of settled)
      item.reject(new RelayError('broker_unavailable', 'RabbitMQ did not take the message'));
  }

  closed(error: unknown, unanswered: readonly Answer[]): void {
    this.#channel = null;
    const fault =
      channelFault(error) === 'row'
        ? rowFault(error, 'RabbitMQ refused the message')
        : rabbitmqError(error, 'publish', 'RabbitMQ closed the channel');
    for (const answer of unanswered) answer.reject(fault);
  }

  #expired(): void {
    const error = new RelayError('broker_timeout', `no confirm within ${this.#options.confirmTimeout} ms`);
    const channel = this.#channel;
    this.#channel = null;
    for (const answer of channel?.abandon() ?? []) answer.reject(error);
  }
}
