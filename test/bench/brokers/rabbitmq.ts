import amqp from 'amqplib';
import { plainId } from '../../support/debezium-server.ts';
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
    openSink: (name, { rows }) => QueueSink.open(rabbitmq.url, name, rows),
    stop: () => rabbitmq.stop(),
    restart: () => rabbitmq.restart(),
    pause: () => rabbitmq.pause(),
    resume: () => rabbitmq.resume(),
    dispose: () => rabbitmq.dispose(),
  };
}

class QueueSink implements Sink {
  readonly target: Extract<Sink['target'], { broker: 'rabbitmq' }>;
  readonly #arrivals: Arrivals;
  /** Undefined until it is wanted, and after the broker has gone. */
  #connection: Promise<Connected> | undefined;
  #check: 'ids' | 'count' = 'ids';
  #listening = false;
  #received = 0;

  private constructor(target: QueueSink['target'], rows: number) {
    this.target = target;
    this.#arrivals = new Arrivals(rows);
  }

  static async open(url: string, name: string, rows: number): Promise<Sink> {
    const binding = { exchange: name, routingKey: '#', exchangeType: 'topic' } as const;
    await declareQueue(url, { queue: name, type: 'quorum', binding });
    return new QueueSink({ broker: 'rabbitmq', url, exchange: name, queue: name }, rows);
  }

  async count(): Promise<number> {
    return this.#received + (await this.#waiting());
  }

  listen(): Promise<void> {
    return this.#consume(() => performance.timeOrigin + performance.now());
  }

  /** Messages that were not listened for have no time: when they are read says nothing. */
  async collect(check: 'ids' | 'count'): Promise<Arrivals> {
    this.#check = check;
    if (!this.#listening) await this.#consume(() => Number.NaN);
    await until(async () => (await this.#waiting()) === 0, {
      what: `the messages of queue ${this.target.queue}`,
      timeoutMs: COLLECT_TIMEOUT_MS,
    });
    // Deliveries that are under way come before the answer to this.
    await this.#waiting();
    return this.#arrivals;
  }

  async close(): Promise<void> {
    const { connection, channel } = await this.#connect();
    await channel.deleteQueue(this.target.queue);
    await channel.deleteExchange(this.target.exchange);
    await connection.close();
  }

  async #waiting(): Promise<number> {
    const { channel } = await this.#connect();
    return (await channel.checkQueue(this.target.queue)).messageCount;
  }

  async #consume(clock: () => number): Promise<void> {
    this.#listening = true;
    const { channel } = await this.#connect();
    await channel.consume(
      this.target.queue,
      (message) => {
        if (message === null) return;
        this.#received++;
        if (this.#check === 'count') this.#arrivals.addAnonymous(clock());
        else this.#arrivals.add(idIn(message.properties), message.content, clock());
      },
      { noAck: true },
    );
  }

  #connect(): Promise<Connected> {
    this.#connection ??= connect(this.target.url, () => (this.#connection = undefined));
    return this.#connection;
  }
}

interface Connected {
  readonly connection: amqp.ChannelModel;
  readonly channel: amqp.Channel;
}

async function connect(url: string, gone: () => void): Promise<Connected> {
  try {
    const connection = await amqp.connect(url);
    connection.on('error', () => undefined);
    connection.once('close', gone);
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    return { connection, channel };
  } catch (error) {
    gone();
    throw error;
  }
}

/** A peer that sets no message id has it in a header. */
function idIn({ messageId, headers }: amqp.MessageProperties): string {
  return plainId(String(messageId ?? headers?.id));
}
