import amqp from 'amqplib';

/** A message as it lies in a queue. */
export interface QueueMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: amqp.MessageProperties;
  readonly redelivered: boolean;
}

/** A queue and what is routed into it. */
export interface QueueOptions {
  readonly queue: string;
  /** @default 'classic' */
  readonly type?: 'classic' | 'quorum' | 'stream';
  /** Further arguments of the queue, such as `x-max-length`. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** Bound to it; by default it only gets what is sent to it through the default exchange. */
  readonly binding?: {
    readonly exchange: string;
    readonly routingKey: string;
    /** Declares the exchange, durable, with this type. By default it must be there. */
    readonly exchangeType?: 'topic' | 'direct' | 'fanout' | 'headers';
  };
}

/** Declares a durable queue and its binding. */
export async function declareQueue(url: string, options: QueueOptions): Promise<void> {
  await withChannel(url, async (channel) => {
    await channel.assertQueue(options.queue, {
      durable: true,
      arguments: { 'x-queue-type': options.type ?? 'classic', ...options.arguments },
    });
    if (options.binding === undefined) return;
    const { exchange, routingKey, exchangeType } = options.binding;
    if (exchangeType !== undefined) await channel.assertExchange(exchange, exchangeType, { durable: true });
    await channel.bindQueue(options.queue, exchange, routingKey);
  });
}

/** Deletes an exchange with its bindings; one that is not there is no error. */
export async function deleteExchange(url: string, exchange: string): Promise<void> {
  await withChannel(url, (channel) => channel.deleteExchange(exchange));
}

/** Takes all messages out of a queue, until it is empty. */
export async function drainQueue(url: string, queue: string): Promise<QueueMessage[]> {
  return withChannel(url, async (channel) => {
    const messages: QueueMessage[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return messages;
      messages.push(toQueueMessage(message));
    }
  });
}

/**
 * Takes exactly `count` messages out of a queue, waiting for them; later ones stay in it.
 *
 * @param timeoutMs default 30000
 * @throws when they do not come in time; those taken by then go back into the queue
 */
export async function takeMessages(
  url: string,
  queue: string,
  count: number,
  timeoutMs = 30_000,
): Promise<QueueMessage[]> {
  if (count === 0) return [];
  return withChannel(url, async (channel) => {
    const messages: QueueMessage[] = [];
    let deadline: NodeJS.Timeout | undefined;
    const complete = new Promise<void>((resolve, reject) => {
      const receive = (message: amqp.ConsumeMessage | null) => {
        if (message === null) reject(new Error(`queue ${queue} was deleted while being read`));
        // More than were asked for may be on their way: unacknowledged, they go back.
        else if (messages.length < count && messages.push(toQueueMessage(message)) === count) {
          channel.ack(message, true);
          resolve();
        }
      };
      const late = () => reject(new Error(`waited ${timeoutMs} ms for ${count} messages, ${messages.length} came`));
      deadline = setTimeout(late, timeoutMs);
      channel.once('error', reject);
      channel.once('close', () => reject(new Error('the channel was closed while reading')));
      channel.consume(queue, receive).catch(reject);
    });
    await complete.finally(() => clearTimeout(deadline));
    // Through the same channel, so that the acknowledgement has arrived when this resolves.
    await channel.checkQueue(queue);
    return messages;
  });
}

/** How many messages are ready in a queue. */
export async function countMessages(url: string, queue: string): Promise<number> {
  return withChannel(url, async (channel) => (await channel.checkQueue(queue)).messageCount);
}

async function withChannel<T>(url: string, use: (channel: amqp.Channel) => Promise<T>): Promise<T> {
  const connection = await amqp.connect(url, { timeout: 10_000 });
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    return await use(channel);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

function toQueueMessage(message: amqp.GetMessage | amqp.ConsumeMessage): QueueMessage {
  const { exchange, routingKey, redelivered } = message.fields;
  return { exchange, routingKey, redelivered, content: message.content, properties: message.properties };
}
