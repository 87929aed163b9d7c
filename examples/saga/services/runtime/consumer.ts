import amqp from 'amqplib';
import { createInbox, type Delivery, type Inbox, type InboxEvent, type InboxMessage } from 'outbox-relay/inbox';
import { consume } from 'outbox-relay/inbox/amqplib';
import { retry } from 'outbox-relay/resilience';
import type pg from 'pg';
import { isMessageType, MESSAGES, type Messages, type MessageType } from '../messages.ts';
import type { ServiceConfig } from './config.ts';
import { log } from './log.ts';

/** What a service does about messages, by their types: it gets those that are here, and no others. All in the inbox's transaction. */
export type Reactions = {
  readonly [Type in MessageType]?: (tx: pg.PoolClient, message: Messages[Type]) => Promise<unknown>;
};

const CONNECT_TIMEOUT_MS = 5000;

type Reaction = (tx: pg.PoolClient, message: unknown) => Promise<unknown>;

/**
 * Handles what comes into the service's queue, each message once, until `stopping` is aborted. A broker that goes away is waited
 * for: what it delivers again is told by its id.
 *
 * @param onHandled after each message whose reaction has committed
 * @param onReady when it first consumes
 */
export async function consumeMessages(
  parts: {
    readonly pool: pg.Pool;
    readonly config: ServiceConfig;
    readonly service: string;
    readonly reactions: Reactions;
  },
  on: { readonly ready: () => void; readonly handled: () => void },
  stopping: AbortSignal,
): Promise<void> {
  const { pool, config, service, reactions } = parts;
  const inbox = createInbox<pg.PoolClient>({
    pool,
    consumer: service,
    retry: { baseMs: 50, maxMs: 2000 },
    onEvent: inboxEvents(on),
  });
  const patience = retry({ name: 'rabbitmq', attempts: Number.MAX_SAFE_INTEGER, baseMs: 100, maxMs: 1000 });
  const subscribe = (): ReturnType<typeof openSubscription> =>
    openSubscription(config.AMQP_URL, { inbox, exchange: config.EXCHANGE, service, reactions });
  while (!stopping.aborted) {
    const open = await patience.execute(subscribe, stopping).catch(() => null);
    if (open === null) return;
    on.ready();
    onAbort(stopping, () => void open.consuming.stop());
    await open.consuming.ended;
    await open.connection.close().catch(() => undefined);
  }
}

/** Also when it has been aborted before, which no event tells. */
function onAbort(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
}

interface Subscription {
  readonly inbox: Inbox<pg.PoolClient>;
  readonly exchange: string;
  readonly service: string;
  readonly reactions: Reactions;
}

async function openSubscription(url: string, subscription: Subscription) {
  const connection = await amqp.connect(url, { timeout: CONNECT_TIMEOUT_MS });
  connection.on('error', (error: unknown) => log('broker-trouble', { error }));
  try {
    return { connection, consuming: await consumeFrom(connection, subscription) };
  } catch (error) {
    log('broker-trouble', { error });
    await connection.close().catch(() => undefined);
    throw error;
  }
}

async function consumeFrom(connection: amqp.ChannelModel, { inbox, exchange, service, reactions }: Subscription) {
  const channel = await connection.createChannel();
  const queue = `${exchange}.${service}`;
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  for (const type of Object.keys(reactions)) await channel.bindQueue(queue, exchange, type);
  return consume(inbox, {
    channel,
    queue,
    concurrency: 5,
    decode,
    handler: (tx, message) => react(reactions, tx, message),
  });
}

/** @throws when a body is not what the contract says: the message goes to the dead letters */
function decode(body: Buffer, { type }: Delivery): unknown {
  if (!isMessageType(type)) throw new TypeError(`no message is of type ${type ?? 'null'}`);
  return MESSAGES[type].parse(JSON.parse(body.toString()));
}

async function react(reactions: Reactions, tx: pg.PoolClient, { type, payload }: InboxMessage): Promise<void> {
  if (!isMessageType(type)) return;
  // That its payload is of this type was seen to by `decode`, which the compiler does not know.
  await (reactions[type] as Reaction | undefined)?.(tx, payload);
}

function inboxEvents({ handled }: { readonly handled: () => void }): (event: InboxEvent) => void {
  return (event) => {
    if (event.type !== 'settled') log(event.type, event);
    else if (event.outcome === 'handled') handled();
    else log(event.outcome, { id: event.id });
  };
}
