/** Inboxes fed from a real Kafka by both clients: redelivery, kills, rebalances, failing keys. Each message takes effect once. */
import kafkajs from 'kafkajs';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConsumeOptions, Consuming } from '../../src/inbox/index.ts';
import { feed, type FeedOptions, type KafkaClientName } from '../support/inbox-feeds.ts';
import { launchConsumer } from '../support/inbox-process.ts';
import { faultsOf, gate, InboxStage, inboxStages, NO_FAULTS, numbered } from '../support/inbox-stage.ts';
import { freshTopic } from '../support/kafka-topic.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import { until } from '../support/services/until.ts';
import { Random } from '../support/simulation/random.ts';
import { uniqueName } from '../support/unique-name.ts';

const CLIENTS: readonly KafkaClientName[] = ['kafkajs', 'platformatic-kafka'];
const PARTITIONS = 3;
/** Of the kills; another one kills elsewhere. */
const SEED = 20261123;

describeWithService('kafka', 'an inbox fed from Kafka', ({ url: brokers }) => {
  const database = freshDatabase();
  const stage = inboxStages(database);
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer();
  const admin = client.admin();
  const consuming: Consuming[] = [];

  beforeAll(() => Promise.all([producer.connect(), admin.connect()]));
  afterAll(() => Promise.all([producer.disconnect(), admin.disconnect()]));
  afterEach(async () => {
    for (const each of consuming.splice(0)) await each.stop({ deadlineMs: 0 });
  });

  interface Sent {
    readonly id: string;
    readonly key: string;
  }

  const send = async (topic: string, messages: readonly Sent[]): Promise<void> => {
    const records = messages.map(({ id, key }) => ({
      key,
      value: JSON.stringify({ id }),
      headers: { id, type: 'made' },
    }));
    await producer.send({ topic, messages: records });
  };

  const start = async (
    one: InboxStage,
    from: FeedOptions,
    options: Partial<ConsumeOptions<pg.PoolClient, unknown>> = {},
  ): Promise<Consuming> => {
    const begun = await feed(one.inbox, from, { handler: one.effect, ...options });
    consuming.push(begun);
    return begun;
  };

  const untilEffects = (one: InboxStage, count: number, timeoutMs = 60_000): Promise<unknown> =>
    until(async () => (await one.effects()).length >= count, {
      what: `${count} effects`,
      timeoutMs,
      details: async () => `there were ${(await one.effects()).length}`,
    });

  /** Committed for a group, and the ends of the topic; by partition. */
  const offsets = async (topic: string, groupId: string): Promise<{ committed: bigint[]; ends: bigint[] }> => {
    const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const inOrder = (all: readonly { partition: number; offset: string }[]): bigint[] =>
      all.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => BigInt(offset));
    return { committed: inOrder(fetched?.partitions ?? []), ends: inOrder(await admin.fetchTopicOffsets(topic)) };
  };

  describe.each(CLIENTS)('by %s', (name) => {
    const source = async (): Promise<{ topic: string; from: FeedOptions; group: string }> => {
      const topic = await freshTopic(brokers, PARTITIONS);
      const group = uniqueName('group');
      return { topic, group, from: { client: name, brokers, topic, group } };
    };

    it('handles each message once and in order, commits all of them, and does nothing when everything comes again', async () => {
      const one = await stage();
      const { topic, from, group } = await source();
      const sent = numbered(600, 40);
      await send(topic, sent);
      const first = await start(one, from, {
        handler: async (tx, message) => {
          expect(message).toMatchObject({
            type: 'made',
            payload: { id: message.id },
            source: { broker: 'kafka', topic },
          });
          await one.effect(tx, message);
        },
      });
      await untilEffects(one, sent.length);
      await first.stop();
      const { committed, ends } = await offsets(topic, group);
      expect(committed).toEqual(ends);

      await admin.deleteGroups([group]);
      const settled = one.events.length;
      const duplicates = (): number =>
        one.events.slice(settled).filter((event) => event.type === 'settled' && event.outcome === 'duplicate').length;
      await start(one, from);
      await until(() => duplicates() === sent.length, { what: 'all of them again' });
      expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
      expect(await one.effects()).toHaveLength(sent.length);
    });

    it('handles others past a key that fails, commits nothing behind it, and hands it on when it stops', async () => {
      const one = await stage({ retry: { attempts: 100, baseMs: 5, maxMs: 20 } });
      const { topic, from, group } = await source();
      const sent = numbered(90, 9);
      await send(topic, sent);
      let fails = true;
      const handler = (tx: pg.PoolClient, message: { id: string; key: string | null }): Promise<void> =>
        fails && message.id === '4/2' ? Promise.reject(new Error('not yet')) : one.effect(tx, message);
      const first = await start(one, from, { handler });
      // Two of its key are before it; all of the other keys.
      await untilEffects(one, 82);
      await first.stop();
      const { committed, ends } = await offsets(topic, group);
      const behind = committed.filter((offset, partition) => offset < (ends[partition] ?? 0n));
      expect([behind.length, await one.effects()]).toEqual([1, expect.objectContaining({ length: 82 })]);
      fails = false;
      const again = new InboxStage(one.pool, one.table);
      await start(again, from, { handler: again.effect });
      await untilEffects(one, sent.length);
      expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
    });

    it('shares partitions with others that come and go, in the middle of handlers, and loses and repeats nothing', async () => {
      const one = await stage();
      const { topic, from } = await source();
      const sent = numbered(900, 60);
      const [within, done] = [gate(), gate()];
      let begun = 0;
      const first = await start(one, from, {
        handler: async (tx, message) => {
          // One handler is at work from before the rebalance until after it.
          if (++begun === 50) {
            within.open();
            await done.opened;
          }
          await one.effect(tx, message);
        },
      });
      await send(topic, sent.slice(0, 300));
      await within.opened;
      const others = [new InboxStage(one.pool, one.table), new InboxStage(one.pool, one.table)] as const;
      await start(others[0], from);
      await send(topic, sent.slice(300, 600));
      await until(() => others[0].events.length > 0, { what: 'the second to get something' });
      done.open();
      await start(others[1], from);
      await send(topic, sent.slice(600));
      await until(() => others[1].events.length > 0, { what: 'the third to get something' });
      await first.stop();
      await untilEffects(one, sent.length);
      expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
    });

    it('is killed with its messages under way, and each takes effect once', async () => {
      const one = await stage();
      const { topic, from } = await source();
      const sent = numbered(1500, 80);
      const folder = await scratchFolder('inbox');
      const random = new Random(SEED);
      const launch = (): ReturnType<typeof launchConsumer> =>
        launchConsumer({ database: database.url, table: one.table, feed: from }, folder);
      const processes = [await launch(), await launch()];
      await send(topic, sent.slice(0, 750));
      for (const kills of [1, 2]) {
        await untilEffects(one, (kills - 1) * 500 + 20 + random.below(400));
        const [killed] = processes.splice(random.below(2), 1);
        await killed?.killTree();
        processes.push(await launch());
        if (kills === 1) await send(topic, sent.slice(750));
      }
      await untilEffects(one, sent.length);
      expect(faultsOf(sent, await one.effects())).toEqual(NO_FAULTS);
      for (const each of processes) each.signal('SIGTERM');
      expect(await Promise.all(processes.map(({ exited }) => exited))).toEqual(['exit code 0', 'exit code 0']);
      await removeScratchFolder(folder);
    });
  });
});
