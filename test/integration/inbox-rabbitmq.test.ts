/** Inboxes fed from a real RabbitMQ: redelivery, lost connections, kills. Each message takes effect once. */
import amqp from 'amqplib';
import { once } from 'node:events';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { consume } from '../../src/inbox/amqplib.ts';
import type { ConsumeOptions, Consuming } from '../../src/inbox/index.ts';
import { launchConsumer } from '../support/inbox-process.ts';
import { faultsOf, gate, type InboxStage, inboxStages, NO_FAULTS, numbered } from '../support/inbox-stage.ts';
import { declareQueue } from '../support/rabbit-reader.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import { until } from '../support/services/until.ts';
import { Random } from '../support/simulation/random.ts';
import { uniqueName } from '../support/unique-name.ts';

/** Of the kills; another one kills elsewhere. */
const SEED = 20261123;
const KILLS = 4;

describeWithService('rabbitmq', 'an inbox fed from RabbitMQ', ({ url }) => {
  const database = freshDatabase();
  const stage = inboxStages(database);
  const connections: amqp.ChannelModel[] = [];
  let sending: amqp.ChannelModel;
  let sender: amqp.ConfirmChannel;

  const connect = async (): Promise<amqp.ChannelModel> => {
    const connection = await amqp.connect(url);
    connection.on('error', () => undefined);
    connections.push(connection);
    return connection;
  };

  beforeAll(async () => {
    sending = await amqp.connect(url);
    sender = await sending.createConfirmChannel();
  });
  afterAll(() => sending.close());
  afterEach(async () => {
    for (const each of connections.splice(0)) await each.close().catch(() => undefined);
  });

  const freshQueue = async (): Promise<string> => {
    const queue = uniqueName('queue');
    await declareQueue(url, { queue, type: 'quorum' });
    return queue;
  };

  const send = async (queue: string, messages: readonly { id: string; key: string | null }[]): Promise<void> => {
    for (const { id, key } of messages) {
      const headers = key === null ? {} : { key };
      const properties = { messageId: id, type: 'made', persistent: true, headers };
      sender.sendToQueue(queue, Buffer.from(JSON.stringify({ id })), properties);
    }
    await sender.waitForConfirms();
  };

  const start = async (
    one: InboxStage,
    queue: string,
    options: Partial<ConsumeOptions<pg.PoolClient, unknown>> = {},
  ): Promise<Consuming & { connection: amqp.ChannelModel }> => {
    const connection = await connect();
    const channel = await connection.createChannel();
    const consuming = await consume(one.inbox, { channel, queue, handler: one.effect, ...options });
    return { connection, ended: consuming.ended, stop: (how) => consuming.stop(how) };
  };

  const untilEffects = (one: InboxStage, count: number): Promise<unknown> =>
    until(async () => (await one.effects()).length >= count, { what: `${count} effects`, timeoutMs: 60_000 });

  const waitingIn = async (queue: string): Promise<number> => {
    const channel = await (await connect()).createChannel();
    const { messageCount } = await channel.checkQueue(queue);
    return messageCount;
  };

  it('handles each message once and in order of its key, and does nothing when all come again', async () => {
    const one = await stage();
    const queue = await freshQueue();
    const sent = numbered(400, 30);
    await send(queue, sent);
    const consuming = await start(one, queue, {
      handler: async (tx, message) => {
        expect(message).toMatchObject({
          type: 'made',
          payload: { id: message.id },
          source: { broker: 'rabbitmq', queue },
        });
        await one.effect(tx, message);
      },
    });
    await untilEffects(one, sent.length);
    await send(queue, sent);
    const outcomes = (): string[] => one.events.flatMap((event) => (event.type === 'settled' ? [event.outcome] : []));
    await until(() => outcomes().length === 2 * sent.length, { what: 'all of them again' });
    expect(outcomes().filter((outcome) => outcome === 'duplicate')).toHaveLength(sent.length);
    expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
    await consuming.stop();
    expect(await waitingIn(queue)).toBe(0);
  });

  it('keeps the order of a routing key where messages have none, and goes on past one that is given up', async () => {
    const one = await stage();
    const queue = await freshQueue();
    await send(
      queue,
      Array.from({ length: 30 }, (_, n) => ({ id: `0/${n}`, key: null })),
    );
    const handler = (tx: pg.PoolClient, message: { id: string }): Promise<void> =>
      message.id === '0/3' ? Promise.reject(new Error('always')) : one.effect(tx, message);
    await start(one, queue, { handler });
    await untilEffects(one, 29);
    expect(faultsOf([], await one.effects()).disordered).toEqual([]);
    expect((await one.inbox.deadLetters.list()).map(({ id }) => id)).toEqual(['0/3']);
  });

  it('gives back what it has not begun when it stops, and ends what it has', async () => {
    const one = await stage();
    const queue = await freshQueue();
    await send(queue, numbered(50, 1));
    const [within, done] = [gate(), gate()];
    const consuming = await start(one, queue, {
      handler: async (tx, message) => {
        within.open();
        await done.opened;
        await one.effect(tx, message);
      },
    });
    await within.opened;
    const stopped = consuming.stop();
    done.open();
    await stopped;
    expect(await one.effects()).toHaveLength(1);
    await until(async () => (await waitingIn(queue)) === 49, { what: 'the others to be back' });
    await start(one, queue);
    await untilEffects(one, 50);
    expect(faultsOf(numbered(50, 1), await one.effects())).toEqual(NO_FAULTS);
  });

  it('gives up a handler that does not end by the deadline, and acknowledges nothing of it', async () => {
    const one = await stage();
    const queue = await freshQueue();
    await send(queue, numbered(1, 1));
    const within = gate();
    const consuming = await start(one, queue, {
      handler: async (tx, message, { signal }) => {
        await one.effect(tx, message);
        within.open();
        await once(signal, 'abort');
      },
    });
    await within.opened;
    await consuming.stop({ deadlineMs: 20 });
    expect(await one.effects()).toEqual([]);
    await until(async () => (await waitingIn(queue)) === 1, { what: 'the message to be back' });
  });

  it('ends when the connection is lost or the queue is deleted, and goes on with another, each message once', async () => {
    const one = await stage();
    const queue = await freshQueue();
    const sent = numbered(300, 20);
    await send(queue, sent);
    for (let losses = 0; losses < 3; losses++) {
      const consuming = await start(one, queue);
      await untilEffects(one, (await one.effects()).length + 40);
      // As a network does it: without a word to the broker, with handlers at work.
      (consuming.connection.connection as unknown as { stream: { destroy(error: Error): void } }).stream.destroy(
        new Error('the network'),
      );
      await consuming.ended;
    }
    const last = await start(one, queue);
    await untilEffects(one, sent.length);
    expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
    await (await (await connect()).createChannel()).deleteQueue(queue);
    await last.ended;
  });

  it('is killed with its messages under way, and each takes effect once', async () => {
    const one = await stage();
    const queue = await freshQueue();
    const sent = numbered(1000, 60);
    await send(queue, sent);
    const folder = await scratchFolder('inbox');
    const random = new Random(SEED);
    const options = { database: database.url, table: one.table, feed: { client: 'amqplib', url, queue } } as const;
    for (let kills = 0; kills < KILLS; kills++) {
      const before = (await one.effects()).length;
      const child = await launchConsumer(options, folder);
      await untilEffects(one, before + 1 + random.below(200));
      await child.killTree();
    }
    const last = await launchConsumer(options, folder);
    await untilEffects(one, sent.length);
    expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
    last.signal('SIGTERM');
    expect(await last.exited).toBe('exit code 0');
    await removeScratchFolder(folder);
  });
});
