import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { setTimeout as sleep } from 'node:timers/promises';
import { RelayError } from '../core/errors.ts';
import { connect, type Connection } from '../publish/rabbitmq/connection.ts';
import { rabbitmqError } from '../publish/rabbitmq/errors.ts';
import type { RabbitmqOptions } from '../publish/rabbitmq/options.ts';

/** A message as a queue delivers it. */
export interface QueueRecord {
  /** Of a stream, its offset; else how many were delivered before it. */
  readonly place: number;
  readonly exchange: string;
  readonly routingKey: string;
  /** `message_id`; null when there is none. */
  readonly id: string | null;
  /** When the row was written or committed, in milliseconds since 1970; null where the message does not tell. */
  readonly writtenAt: number | null;
  header(name: string): string | null;
}

/** What a stream still has. */
export interface StreamState {
  /** The first message that is left, where some before it may have been deleted: when its row was written, or `Infinity`. */
  readonly truncatedUntil: number | null;
}

/** An exchange, and the routing keys that are known to be used with it. */
export interface ObservedExchange {
  readonly exchange: string;
  readonly routingKeys: readonly string[];
}

const PREFETCH = 1000;
const DRAIN_MS = 25;
/** A stream does not say where it ends: nothing for so long is taken for the end. */
const STREAM_IDLE_MS = 3_000;
const CLOSE_DEADLINE_MS = 2_000;

/** Reads queues of a broker without taking anything that is for others. */
export class RabbitQueues {
  readonly #connection: Connection;
  readonly #lost: Promise<never>;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#lost = new Promise<never>((_, reject) => {
      connection.listen({ lost: reject, blocked: () => undefined, unblocked: () => undefined });
    });
    this.#lost.catch(() => undefined);
  }

  /** @throws RelayError `broker_*` */
  static async open(options: RabbitmqOptions, signal: AbortSignal): Promise<RabbitQueues> {
    return new RabbitQueues(await connect(options, signal));
  }

  /**
   * Binds a queue of its own to exchanges: exclusive, and gone with the connection. Everything that is published from
   * the moment this resolves is delivered to `visit`. `#` is bound beside the keys given: on a topic exchange, as on
   * a fanout or headers exchange, that is all; on a direct one the keys are.
   *
   * @returns resolves, when called, once all that the broker had confirmed by then has been delivered
   */
  async observe(
    exchanges: readonly ObservedExchange[],
    visit: (record: QueueRecord) => void,
  ): Promise<() => Promise<void>> {
    const doing = 'binding a queue to watch what is published';
    const channel = await this.#connection.openConfirmChannel();
    const closed = whenClosed(channel, doing);
    return this.#whileOpen(closed, doing, async () => {
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
      let place = 0;
      await channel.consume(queue, (message) => visitMessage(message, place++, visit), { noAck: true });
      for (const { exchange, routingKeys } of exchanges) {
        for (const key of new Set(['#', ...routingKeys])) await channel.bindQueue(queue, exchange, key);
      }
      return () => this.#whileOpen(closed, doing, () => drained(channel, queue));
    });
  }

  /**
   * Reads a queue of type stream from a time (milliseconds since 1970) to its end.
   *
   * @throws RelayError `verify_refused` for a queue of another type: reading it would take its messages, or their order
   */
  async readStream(queue: string, from: number, visit: (record: QueueRecord) => void): Promise<StreamState> {
    await this.#requireStream(queue);
    const first = await this.#firstOffset(queue);
    let begin: QueueRecord | null = null;
    await this.#consumeStream(queue, { '!': 'timestamp', value: Math.max(0, Math.floor(from / 1000)) }, (record) => {
      begin ??= record;
      visit(record);
      return true;
    });
    const seen = begin as QueueRecord | null;
    if (first === null || first === 0 || (seen !== null && seen.place > first)) return { truncatedUntil: null };
    return { truncatedUntil: seen?.writtenAt ?? Infinity };
  }

  async close(): Promise<void> {
    await this.#connection.close(CLOSE_DEADLINE_MS);
  }

  /** AMQP has one code for all arguments that differ; which one it is stands in the text only. */
  async #requireStream(queue: string): Promise<void> {
    const doing = `looking at queue '${queue}'`;
    await this.#connection.onOwnChannel(doing, (channel) => channel.checkQueue(queue));
    try {
      await this.#connection.onOwnChannel(doing, (channel) =>
        channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'stream' } }),
      );
    } catch (error) {
      if (!(error instanceof RelayError) || !error.message.includes("'x-queue-type'")) return;
      throw new RelayError('verify_refused', `queue ${queue} is no stream: reading it would take its messages`, {
        cause: error,
        remedy:
          'Leave --queue out: then a queue of its own is bound and what is published from now on is watched. Or bind a queue of type stream.',
      });
    }
  }

  async #firstOffset(queue: string): Promise<number | null> {
    let first: number | null = null;
    await this.#consumeStream(queue, 'first', ({ place }) => {
      first ??= place;
      return false;
    });
    return first;
  }

  /** Until `visit` returns false, or nothing comes any more. */
  async #consumeStream(queue: string, offset: unknown, visit: (record: QueueRecord) => boolean): Promise<void> {
    const doing = `reading stream '${queue}'`;
    const channel = await this.#connection.openConfirmChannel();
    const closed = whenClosed(channel, doing);
    try {
      await this.#whileOpen(closed, doing, async () => {
        await channel.prefetch(PREFETCH);
        const state = { at: performance.now(), done: false };
        const receive = (message: ConsumeMessage | null): void => {
          if (message === null || state.done) return;
          state.at = performance.now();
          channel.ack(message);
          visitMessage(message, offsetOf(message), (record) => {
            state.done = !visit(record);
          });
        };
        await channel.consume(queue, receive, { arguments: { 'x-stream-offset': offset } });
        for (let idle = 0; !state.done && idle < STREAM_IDLE_MS; idle = performance.now() - state.at) {
          await sleep(DRAIN_MS);
        }
      });
    } finally {
      await channel.close().catch(() => undefined);
    }
  }

  async #whileOpen<T>(closed: Promise<never>, doing: string, action: () => Promise<T>): Promise<T> {
    try {
      return await Promise.race([action(), closed, this.#lost]);
    } catch (error) {
      throw rabbitmqError(error, 'examine', doing);
    }
  }
}

/** Asked twice: what the queue had delivered when it said that it is empty has been written before the second answer. */
async function drained(channel: ConfirmChannel, queue: string): Promise<void> {
  for (let empty = 0; empty < 2;) {
    const { messageCount } = await channel.checkQueue(queue);
    empty = messageCount === 0 ? empty + 1 : 0;
    if (messageCount > 0) await sleep(DRAIN_MS);
  }
}

function visitMessage(message: ConsumeMessage | null, place: number, visit: (record: QueueRecord) => void): void {
  if (message === null) return;
  const { fields, properties } = message;
  const id: unknown = properties.messageId;
  const timestamp: unknown = properties.timestamp;
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? {};
  visit({
    place,
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    id: typeof id === 'string' ? id : null,
    writtenAt: typeof timestamp === 'number' ? timestamp * 1000 : null,
    header: (name) => {
      const value = headers[name];
      return typeof value === 'string' ? value : null;
    },
  });
}

function offsetOf({ properties }: ConsumeMessage): number {
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? {};
  const offset = headers['x-stream-offset'];
  return typeof offset === 'number' ? offset : 0;
}

function whenClosed(channel: ConfirmChannel, doing: string): Promise<never> {
  const closed = new Promise<never>((_, reject) => {
    channel.on('error', (error) => reject(rabbitmqError(error, 'examine', doing)));
  });
  closed.catch(() => undefined);
  return closed;
}
