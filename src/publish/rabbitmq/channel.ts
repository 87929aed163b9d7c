import type { ConfirmChannel, Message } from 'amqplib';
import { channelNumber, type Connection } from './connection.ts';
import { Confirms, type Settled } from './confirms.ts';
import type { Publication } from './properties.ts';

/** What befalls a {@link PublishingChannel}; none of it after {@link PublishingChannel.mute}. */
export interface ChannelListener<T> {
  /** The broker has these, those apart that were returned before. */
  confirmed(settled: readonly Settled<T>[]): void;
  /** The broker has not taken these. */
  nacked(settled: readonly Settled<T>[]): void;
  /** The broker closed the channel, and the connection goes on; these were not answered. */
  closed(error: unknown, unanswered: readonly T[]): void;
}

/** A channel with confirms on which messages of type `T` are published. A lost connection is the connection's to tell. */
export class PublishingChannel<T> {
  readonly #channel: ConfirmChannel;
  readonly #connection: Connection;
  readonly #number: number;
  readonly #confirms = new Confirms<T>();
  #listener: ChannelListener<T> | null;
  #open = true;

  private constructor(connection: Connection, channel: ConfirmChannel, listener: ChannelListener<T>) {
    this.#connection = connection;
    this.#channel = channel;
    this.#number = channelNumber(channel);
    this.#listener = listener;
    let fault: unknown = null;
    // amqplib's own account of confirms knows nothing of what is sent here, and would grow with each one out of order
    channel.removeAllListeners('ack').removeAllListeners('nack');
    channel.on('return', (message: Message) => this.#confirms.returned(String(message.properties.messageId)));
    channel.on('ack', ({ deliveryTag, multiple }) =>
      this.#listener?.confirmed(this.#confirms.settle(deliveryTag, multiple)),
    );
    channel.on('nack', ({ deliveryTag, multiple }) =>
      this.#listener?.nacked(this.#confirms.settle(deliveryTag, multiple)),
    );
    channel.on('error', (error) => {
      fault = error;
    });
    channel.on('close', () => {
      this.#open = false;
      if (fault !== null) this.#listener?.closed(fault, this.#confirms.drain());
    });
  }

  /** @throws RelayError */
  static async open<T>(connection: Connection, listener: ChannelListener<T>): Promise<PublishingChannel<T>> {
    return new PublishingChannel(connection, await connection.openConfirmChannel(), listener);
  }

  /** Messages that the broker has not answered for. */
  get unanswered(): number {
    return this.#confirms.size;
  }

  /** When the oldest of them was sent, or null. */
  get oldest(): number | null {
    return this.#confirms.oldest();
  }

  /**
   * Publishes a message, which is written with the connection's next {@link Connection.flush}.
   *
   * @returns false: the channel is closed, and nothing was done
   */
  publish(item: T, publication: Publication, now: number): boolean {
    if (!this.#open) return false;
    this.#connection.publish(this.#number, publication);
    this.#confirms.sent(item, publication.messageId, now);
    return true;
  }

  /** Tells its listener nothing more. */
  mute(): void {
    this.#listener = null;
  }

  /** Closes it and tells nothing more. Returns what was not answered. */
  abandon(): T[] {
    this.mute();
    this.#open = false;
    try {
      this.#channel.close().catch(() => undefined);
    } catch {
      // Closed already, with its connection or by the broker.
    }
    return this.#confirms.drain();
  }
}
