/** A broker of its own, since these tests set alarms, take permissions away and stop it. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { countMessages, declareQueue, drainQueue, type QueueMessage } from '../support/rabbit-reader.ts';
import {
  insertNumbers,
  numberFaults,
  parkedCodes,
  untilNothingRetained,
  untilParked,
  untilTold,
} from '../support/numbered-rows.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithLauncher, freshDatabase, uniqueName } from '../support/service.ts';
import { type StartedRabbitmq, startRabbitmq } from '../support/services/rabbitmq.ts';
import { until } from '../support/services/until.ts';
import { unheardProxy } from '../support/unheard-proxy.ts';

const MAX_MESSAGE_SIZE = 100_000;

describeWithLauncher(
  'rabbitmq',
  'a RabbitMQ in trouble: nothing is lost, it is told, and the relay goes on by itself',
  () => {
    const database = freshDatabase();
    let broker: StartedRabbitmq;

    beforeAll(async () => {
      broker = await startRabbitmq({ config: [`max_message_size = ${MAX_MESSAGE_SIZE}`] });
      await broker.management('PUT', '/users/relay', { password: 'first', tags: '' });
      await permit('.*');
    }, 120_000);
    afterAll(() => broker.dispose());

    /** Of the relay's account, in all respects. */
    async function permit(pattern: string): Promise<void> {
      await broker.management('PUT', '/permissions/%2F/relay', { configure: pattern, write: pattern, read: pattern });
    }

    /** An outbox, a topic exchange and a queue that gets all of it, and how to start a relay between them. */
    async function stage(queueArguments: Readonly<Record<string, unknown>> = {}) {
      const outbox = await relayOutbox(database.url, { payload: 'text' });
      const [exchange, queue] = [uniqueName('exchange'), uniqueName('queue')];
      const declare = () =>
        declareQueue(broker.url, {
          queue,
          arguments: queueArguments,
          binding: { exchange, routingKey: '#', exchangeType: 'topic' },
        });
      const start = (destination: object = {}, route: object = {}) =>
        startRelay(
          outbox.config({
            destinations: {
              rabbitmq: {
                type: 'rabbitmq',
                url: `amqp://relay:first@127.0.0.1:${broker.port}`,
                heartbeat: '1s',
                confirmTimeout: '2s',
                ...destination,
              },
            },
            routes: [{ destination: 'rabbitmq', exchange, ...route }],
            shutdown: { drain: '1s' },
          }),
        );
      return { outbox, exchange, queue, declare, start };
    }

    it('takes connections and answers no message: little is repeated, until it answers', async () => {
      const { outbox, queue, declare, start } = await stage();
      await declare();
      await using proxy = await unheardProxy({ host: '127.0.0.1', port: broker.port });
      // of a key each: of one key only one message is in flight anyway
      await outbox.admin.query(`INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload)
        SELECT 'order', n::text, 'numbered', n::text FROM generate_series(1, 3000) n`);
      const relay = await start({ url: `amqp://relay:first@127.0.0.1:${proxy.port}`, heartbeat: '5s' });
      await relay.waitFor('a session on trial', ({ destinations: [one] }) => one?.circuit === 'half-open');
      await until(() => proxy.ended >= 4, { what: 'four sessions that end', timeoutMs: 60_000 });
      proxy.sabotages = false;
      const sessions = proxy.ended;
      expect(await relay.metric('circuit_opened_total')).toBeGreaterThanOrEqual(3);
      await outbox.untilEmpty();
      await relay.untilState('streaming');
      expect((await relay.status()).destinations[0]?.circuit).toBe('closed');
      expect(await relay.metric('circuit_state', { state: 'closed' })).toBe(1);
      const messages = await drainQueue(broker.url, queue);
      complete(messages, 3_000);
      // the window of the first session, and of each on trial its hundred
      expect(messages.length - 3_000).toBeLessThanOrEqual(1_000 + 100 * sessions);
      expect(messages.length - 3_000).toBeGreaterThan(0);
    }, 120_000);

    it('has no exchange at the start, and loses it in mid-stream', async () => {
      const { outbox, exchange, queue, declare, start } = await stage();
      await insertNumbers(outbox, 2_000);
      const relay = await start();
      await untilTold(relay, 'broker_setup');
      await insertNumbers(outbox, 1_000, 2_001);
      expect(await outbox.slots()).toEqual([]);
      expect(await outbox.size()).toBe(3_000);
      await declare();
      await outbox.untilEmpty();

      await relay.untilState('streaming');
      await broker.management('DELETE', `/exchanges/%2F/${exchange}`);
      await insertNumbers(outbox, 2_000, 3_001);
      await untilTold(relay, 'broker_setup');
      await outbox.untilNoSlot();
      await declare();
      await outbox.untilEmpty();
      await relay.untilState('streaming');
      complete(await drainQueue(broker.url, queue), 5_000);
      expect(await parkedCodes(outbox)).toEqual([]);
    }, 120_000);

    it('has no exchange of the name that a row gives: that row is set aside, the others go on', async () => {
      const { outbox, exchange, queue, declare, start } = await stage();
      await declare();
      const relay = await start({}, { exchange: '${aggregatetype}' });
      await relay.untilState('streaming');
      await insertNumbers(outbox, 300, 1, exchange);
      await insertNumbers(outbox, 3, 301, 'nowhere');
      await insertNumbers(outbox, 300, 304, exchange);
      await outbox.untilSize(3);
      await untilParked(outbox, ['message_unroutable', 'message_unroutable', 'message_unroutable']);
      const arrived = (await drainQueue(broker.url, queue)).map(({ content }) => Number(content.toString()));
      // what was in flight with the culprit is sent again
      expect(new Set(arrived)).toEqual(
        new Set(Array.from({ length: 603 }, (_, n) => n + 1).filter((n) => n < 301 || n > 303)),
      );
      expect((await relay.status()).destinations[0]?.state).toBe('streaming');
    }, 120_000);

    it('closes the channel for a message that is too large: that row is set aside, the others go on', async () => {
      const { outbox, queue, declare, start } = await stage();
      await declare();
      const relay = await start();
      await relay.untilState('streaming');
      await insertNumbers(outbox, 200);
      await outbox.admin.query(
        `INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload) VALUES ('order', 'large', 't', repeat('x', ${MAX_MESSAGE_SIZE + 1}))`,
      );
      await insertNumbers(outbox, 200, 201);
      await outbox.untilSize(1);
      await untilParked(outbox, ['message_too_large']);
      complete(await drainQueue(broker.url, queue), 400);
    }, 120_000);

    it('has a queue that is full: its keys wait, nothing is set aside, and no log is retained', async () => {
      const { outbox, queue, declare, start } = await stage({ 'x-max-length': 50, 'x-overflow': 'reject-publish' });
      await declare();
      const relay = await start();
      await relay.untilState('streaming');
      await insertNumbers(outbox, 300);
      await untilTold(relay, 'broker_unavailable');
      await untilNothingRetained(outbox);
      const messages: QueueMessage[] = [];
      await until(
        async () => {
          messages.push(...(await drainQueue(broker.url, queue)));
          return (await outbox.size()) === 0 && messages.length >= 300;
        },
        { what: 'all rows', everyMs: 50, timeoutMs: 60_000 },
      );
      complete(messages, 300);
      expect(await parkedCodes(outbox)).toEqual([]);
    }, 120_000);

    it('has an alarm: publishing waits for as long as that takes, and nothing comes twice', async () => {
      const { outbox, queue, declare, start } = await stage();
      await declare();
      const relay = await start({ confirmTimeout: '1s' });
      await relay.untilState('streaming');
      await broker.setMemoryAlarm(true);
      try {
        await insertNumbers(outbox, 500);
        await untilTold(relay, 'broker_unavailable');
        await untilNothingRetained(outbox);
        expect(await outbox.size()).toBe(500);
      } finally {
        await broker.setMemoryAlarm(false);
      }
      await outbox.untilEmpty();
      expect(await drainQueue(broker.url, queue)).toHaveLength(500);
    }, 120_000);

    it('takes its permissions, then its login away, and gives them back', async () => {
      const { outbox, queue, declare, start } = await stage();
      await declare();
      const relay = await start();
      await relay.untilState('streaming');
      onTestFinished(async () => {
        await broker.management('PUT', '/users/relay', { password: 'first', tags: '' });
        await permit('.*');
      });

      await permit('^$');
      await closeConnections();
      await insertNumbers(outbox, 300);
      await untilTold(relay, 'broker_authorization');
      await outbox.untilNoSlot();
      await permit('.*');
      await outbox.untilEmpty();

      await broker.management('PUT', '/users/relay', { password: 'second', tags: '' });
      await closeConnections();
      await insertNumbers(outbox, 300, 301);
      await untilTold(relay, 'broker_authentication');
      await outbox.untilNoSlot();
      await broker.management('PUT', '/users/relay', { password: 'first', tags: '' });
      await outbox.untilEmpty();
      complete(await drainQueue(broker.url, queue), 600);
    }, 180_000);

    async function closeConnections(): Promise<void> {
      await broker.ctl('close_all_user_connections', 'relay', 'test');
    }

    it('stands still (SIGSTOP): the stream is closed, and all arrives when it goes on', async () => {
      const { outbox, queue, declare, start } = await stage();
      await declare();
      const relay = await start();
      await relay.untilState('streaming');
      await insertNumbers(outbox, 100);
      await outbox.untilEmpty();
      await broker.pause();
      try {
        await insertNumbers(outbox, 400, 101);
        await relay.untilState('down');
        await outbox.untilNoSlot();
        const { destinations } = await relay.status();
        expect(destinations[0]?.circuit).not.toBe('closed');
        expect(destinations[0]?.error?.code).toMatch(/^broker_(unreachable|timeout)$/);
        expect(await outbox.size()).toBe(400);
      } finally {
        await broker.resume();
      }
      await outbox.untilEmpty();
      await relay.untilState('streaming');
      complete(await drainQueue(broker.url, queue), 500);
      expect(await countMessages(broker.url, queue)).toBe(0);
    }, 120_000);
  },
);

/** Every number from 1 to `rows` is in the queue's messages, of each key first in order. */
function complete(messages: readonly QueueMessage[], rows: number): void {
  expect(
    numberFaults(
      messages.map(({ content }) => content.toString()),
      rows,
    ),
  ).toEqual([]);
}
