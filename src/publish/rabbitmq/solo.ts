import { RelayError } from '../../core/errors.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { Settled } from './confirms.ts';
import type { Connection } from './connection.ts';
import { type ChannelListener, PublishingChannel } from './channel.ts';
import { withDeadline } from './deadline.ts';
import { channelFault, isClosedError, rabbitmqError, rowFault } from './errors.ts';
import { headerRoom, toPublication } from './properties.ts';

interface Answer {
  resolve(): void;
  reject(error: RelayError): void;
}

/**
 * Publishes single messages, one at a time, on a channel of its own: a dead-letter exchange that is missing then
 * harms nobody else, and a closed channel is the fault of the one message on it.
 */
export class SoloPublisher implements ChannelListener<Answer> {
  readonly #connection: Connection;
  readonly #appId: string;
  readonly #confirmTimeoutMs: number;
  #channel: PublishingChannel<Answer> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  readonly #pending = new Set<Answer>();
  #ended: RelayError | null = null;

  constructor(connection: Connection, appId: string, confirmTimeoutMs: number) {
    this.#connection = connection;
    this.#appId = appId;
    this.#confirmTimeoutMs = confirmTimeoutMs;
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
    for (const answer of this.#pending) answer.reject(error);
    this.#pending.clear();
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
    const publication = toPublication(message, this.#appId, {
      bodyBytes: null,
      headerBytes: headerRoom(this.#connection.frameMax),
    });
    if (publication instanceof RelayError) throw publication;
    const channel = (this.#channel ??= await PublishingChannel.open<Answer>(this.#connection, this));
    try {
      const confirmed = new Promise<void>((resolve, reject) => {
        channel.publish({ resolve, reject }, publication, performance.now());
      });
      await withDeadline(confirmed, this.#confirmTimeoutMs, 'confirm of one message');
    } catch (error) {
      if (error instanceof RelayError && error.code === 'broker_timeout') this.#drop(channel);
      if (error instanceof RelayError || isClosedError(error)) throw error;
      throw rowFault(error, 'the client refused the message');
    }
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

  #drop(channel: PublishingChannel<Answer>): void {
    this.#channel = null;
    channel.abandon();
  }
}
