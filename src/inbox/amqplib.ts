/** `outbox-relay/inbox/amqplib`: feeds an inbox from a queue of RabbitMQ, through a channel of amqplib. */
import type { Channel, ConsumeMessage } from 'amqplib';
import type { InboxClient } from './client.ts';
import {
  type ConsumeOptions,
  type Consuming,
  firstHeader,
  resolveConsumeOptions,
  type StopOptions,
} from './consume-options.ts';
import type { Inbox } from './inbox.ts';
import { Intake } from './intake.ts';
import type { Delivery } from './message.ts';
import { sharedAbort } from './shared-signal.ts';

/** Where the dedup key is, if not in `message_id`: as others have it, and as CloudEvents in binary mode. */
const ID_HEADERS = ['id', 'cloudEvents:id', 'cloudEvents_id', 'x-deduplication-header'];
const TYPE_HEADERS = ['type', 'cloudEvents:type', 'cloudEvents_type'];
/** The relay sends the message's key only where its configuration names a header for it. */
const KEY_HEADER = 'key';
/** By which the relay tells a tombstone from an empty body. */
const TOMBSTONE_HEADER = 'x-outbox-tombstone';

/** What is consumed, and how. */
export interface AmqplibOptions<Client extends InboxClient, Payload> extends ConsumeOptions<Client, Payload> {
  /** Of its own for this queue: its prefetch is set to `maxInFlight`. Closing it is the caller's. */
  readonly channel: Channel;
  readonly queue: string;
}

/**
 * Feeds the inbox from a queue. A message is acknowledged after the handler's transaction has committed, whatever the order; what is
 * not settled when the channel closes is delivered again by the broker, to whoever consumes then.
 *
 * When `ended` resolves without a `stop`, the channel is gone, or the queue: open another one and consume anew.
 */
export async function consume<Client extends InboxClient, Payload = unknown>(
  inbox: Inbox<Client>,
  options: AmqplibOptions<Client, Payload>,
): Promise<Consuming> {
  const consuming = new AmqplibConsuming(inbox, options);
  await consuming.begin();
  return consuming;
}

class AmqplibConsuming<Client extends InboxClient, Payload> implements Consuming {
  readonly ended: Promise<void>;
  readonly #inbox: Inbox<Client>;
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #prefetch: number;
  readonly #intake: Intake<Client, Payload>;
  readonly #stopping = sharedAbort();
  #consumerTag = '';
  #isOpen = true;
  /** What was not acknowledged has been given back: its delivery tags are nobody's, and one would close the channel. */
  #isGivenBack = false;
  #end: () => void = () => undefined;
  #stopped: Promise<void> | null = null;

  constructor(inbox: Inbox<Client>, options: AmqplibOptions<Client, Payload>) {
    const settings = resolveConsumeOptions(options);
    this.#inbox = inbox;
    this.#channel = options.channel;
    this.#queue = options.queue;
    this.#prefetch = settings.maxInFlight;
    this.#intake = new Intake(inbox, settings);
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  async begin(): Promise<void> {
    this.#channel.once('close', this.#onClose);
    this.#channel.on('error', this.#onError);
    await this.#channel.prefetch(this.#prefetch);
    const { consumerTag } = await this.#channel.consume(this.#queue, (message) => {
      // Null: the broker has cancelled the consumer, as when the queue was deleted.
      if (message === null) void this.stop();
      else this.#take(message);
    });
    this.#consumerTag = consumerTag;
  }

  stop(options?: StopOptions): Promise<void> {
    return (this.#stopped ??= this.#endAll(options));
  }

  readonly #onClose = (): void => {
    this.#isOpen = false;
    void this.stop();
  };

  readonly #onError = (error: unknown): void => this.#inbox.onEvent({ type: 'broker-trouble', error });

  #take(message: ConsumeMessage): void {
    if (this.#stopping.signal.aborted) return;
    this.#intake.accept(amqpDelivery(this.#queue, message), {
      stopping: this.#stopping.signal,
      settled: () => this.#acknowledge(message),
      // Whose key is not known: then all of a routing key is one. Less at a time, and never out of order.
      inTurnWith: message.fields.routingKey,
    });
  }

  #acknowledge(message: ConsumeMessage): void {
    // On a channel that closes there is nothing to acknowledge: the message comes again, and its id is known.
    try {
      if (this.#isOpen && !this.#isGivenBack) this.#channel.ack(message);
    } catch (error) {
      this.#onError(error);
    }
  }

  async #endAll(options: StopOptions | undefined): Promise<void> {
    this.#stopping.abort();
    if (this.#isOpen) await this.#untilClosed(this.#channel.cancel(this.#consumerTag));
    await this.#intake.drain(options);
    // What was not begun goes back to the queue now, not only when the channel closes; acknowledgements sent before are done first.
    if (this.#isOpen) {
      this.#isGivenBack = true;
      await this.#untilClosed(this.#channel.recover());
    }
    this.#channel.removeListener('close', this.#onClose);
    this.#end();
  }

  /** Waits for an answer of the broker, as long as there is a channel on which it may come. */
  async #untilClosed(answer: PromiseLike<unknown>): Promise<void> {
    const over = new Promise<void>((resolve) => this.#channel.once('close', resolve));
    await Promise.race([Promise.resolve(answer).catch(this.#onError), over]);
  }
}

function amqpDelivery(queue: string, { content, fields, properties }: ConsumeMessage): Delivery {
  const headers = textHeaders(properties.headers ?? {});
  const key = firstHeader(headers, [KEY_HEADER]);
  return {
    id: textOf(properties.messageId) ?? firstHeader(headers, ID_HEADERS),
    key,
    orderKey: key === null ? null : `${queue}/${key}`,
    type: textOf(properties.type) ?? firstHeader(headers, TYPE_HEADERS),
    headers,
    body: content.length === 0 && headers[TOMBSTONE_HEADER] === 'true' ? null : content,
    source: { broker: 'rabbitmq', queue, exchange: fields.exchange, routingKey: fields.routingKey },
    position: null,
  };
}

/** Values of other types as JSON, as of a table. */
function textHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      textOf(value) ?? (Buffer.isBuffer(value) ? value.toString() : JSON.stringify(value)),
    ]),
  );
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
