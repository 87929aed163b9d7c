import amqp from 'amqplib';
import { retry } from 'outbox-relay/resilience';
import { Random } from '../../test/support/simulation/random.ts';
import type { SaidMessage } from './accounting.ts';

/** Marks what was sent again, which is not sent a third time. */
const AGAIN_HEADER = 'x-again';

/**
 * Hears everything that the services say, and notes it. On demand it sends every other message again, some time later: what a
 * relay or a broker may do with any of them at any time, and rarely does.
 */
export class Listener {
  readonly #url: string;
  readonly #exchange: string;
  readonly #random: Random | null;
  readonly #said = new Map<string, SaidMessage>();
  readonly #over = new AbortController();
  #ended = Promise.resolve();

  /** @param seed of what is sent again; null: nothing is */
  constructor(url: string, exchange: string, seed: number | null) {
    this.#url = url;
    this.#exchange = exchange;
    this.#random = seed === null ? null : new Random(seed);
  }

  /** Each once, however often it came. */
  get said(): readonly SaidMessage[] {
    return [...this.#said.values()];
  }

  /** Resolves when it hears what is said from now on. */
  async start(): Promise<void> {
    const first = await this.#listen();
    this.#ended = this.#stay(first);
  }

  /** What has not been sent again stays in its queue. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#ended;
  }

  /** Listens on new connections for as long as the broker comes back. */
  async #stay(first: amqp.ChannelModel): Promise<void> {
    const { signal } = this.#over;
    const patience = retry({ name: 'rabbitmq', attempts: Number.MAX_SAFE_INTEGER, baseMs: 100, maxMs: 1000 });
    for (let connection: amqp.ChannelModel | null = first; connection !== null;) {
      await this.#untilClosed(connection);
      connection = await patience.execute(() => this.#listen(), signal).catch(() => null);
    }
  }

  async #untilClosed(connection: amqp.ChannelModel): Promise<void> {
    const { signal } = this.#over;
    const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()));
    const close = (): void => void connection.close().catch(() => undefined);
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    await closed;
    signal.removeEventListener('abort', close);
  }

  async #listen(): Promise<amqp.ChannelModel> {
    const connection = await amqp.connect(this.#url, { timeout: 5000 });
    connection.on('error', () => undefined); // 'close' follows
    try {
      await this.#consume(await connection.createChannel());
      return connection;
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
  }

  async #consume(channel: amqp.Channel): Promise<void> {
    channel.on('error', () => undefined);
    const queue = `${this.#exchange}.listener`;
    await channel.assertExchange(this.#exchange, 'topic', { durable: true });
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(queue, this.#exchange, '#');
    await channel.consume(queue, (message) => {
      if (message === null) return;
      this.#note(message);
      this.#repeat(channel, message);
      channel.ack(message);
    });
  }

  #note({ properties, fields }: amqp.ConsumeMessage): void {
    const id = String(properties.messageId);
    this.#said.set(id, { id, type: fields.routingKey, orderId: String(properties.headers?.key) });
  }

  #repeat(channel: amqp.Channel, { properties, fields, content }: amqp.ConsumeMessage): void {
    const { headers = {}, ...others } = properties;
    if (headers[AGAIN_HEADER] === true || this.#random?.chance(0.5) !== true) return;
    const again = { ...others, headers: { ...headers, [AGAIN_HEADER]: true } };
    channel.publish(this.#exchange, fields.routingKey, content, again);
  }
}
