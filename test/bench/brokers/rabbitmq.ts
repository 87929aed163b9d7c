import amqp from 'amqplib';
import { declareQueue } from '../../support/rabbit-reader.ts';
import { startRabbitmq } from '../../support/services/rabbitmq.ts';
import { until } from '../../support/services/until.ts';
import { Arrivals } from '../measure/arrivals.ts';
import type { Broker, Sink } from './broker.ts';

const COLLECT_TIMEOUT_MS = 300_000;

/** A RabbitMQ of one node, with a quorum queue for each run. */
export async function startRabbitmqBroker(): Promise<Broker> {
  const rabbitmq = await startRabbitmq();
  const version = await rabbitmq.ctl('version');
  return {
    name: 'rabbitmq',
    title: `RabbitMQ ${version}, one node, quorum queue`,
    openSink: (name, rows) => QueueSink.open(rabbitmq.url, name, rows),
    dispose: () => rabbitmq.dispose(),
  };
}

class QueueSink implements Sink {
  readonly target: Sink['target'];
  readonly #connection: amqp.ChannelModel;
  readonly #channel: amqp.Channel;
  readonly #queue: string;
  readonly #arrivals: Arrivals;
  #listening = false;
  #received = 0;

  private constructor(url: string, name: string, connection: amqp.ChannelModel, channel: amqp.Channel, rows: number) {
    this.target = { broker: 'rabbitmq', url, exchange: name, queue: name };
    this.#queue = name;
    this.#connection = connection;
    this.#channel = channel;
    this.#arrivals = new Arrivals(rows);
  }

  static async open(url: string, name: string, rows: number): Promise<Sink> {
    const binding = { exchange: name, routingKey: '#', exchangeType: 'topic' } as const;
    await declareQueue(url, { queue: name, type: 'quorum', binding });
    const connection = await amqp.connect(url);
    return new QueueSink(url, name, connection, await connection.createChannel(), rows);
  }

  async count(): Promise<number> {
    return this.#received + (await this.#channel.checkQueue(this.#queue)).messageCount;
  }

  listen(): Promise<void> {
    return this.#consume(() => performance.timeOrigin + performance.now());
  }

  /** Messages that were not listened for have no time: when they are read says nothing. */
  async collect(): Promise<Arrivals> {
    if (!this.#listening) await this.#consume(() => Number.NaN);
    await until(async () => (await this.#channel.checkQueue(this.#queue)).messageCount === 0, {
      what: `the messages of queue ${this.#queue}`,
      timeoutMs: COLLECT_TIMEOUT_MS,
    });
    // Deliveries that are under way come before the answer to this.
    await this.#channel.checkQueue(this.#queue);
    return this.#arrivals;
  }

  async close(): Promise<void> {
    await this.#channel.deleteQueue(this.#queue);
    await this.#channel.deleteExchange(this.#queue);
    await this.#connection.close();
  }

  async #consume(clock: () => number): Promise<void> {
    this.#listening = true;
    await this.#channel.consume(
      this.#queue,
      (message) => {
        if (message === null) return;
        this.#received++;
        this.#arrivals.add(String(message.properties.messageId), message.content, clock());
      },
      { noAck: true },
    );
  }
}
