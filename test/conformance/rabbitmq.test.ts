import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { createRabbitmqPublisher } from '../../src/publish/rabbitmq/publisher.ts';
import { until } from '../support/services/until.ts';
import { expectedOrder, firstOccurrences, outgoing, publisherSuite } from './publisher-suite.ts';
import {
  bind,
  broker,
  disposeBroker,
  elapsed,
  missing,
  newTarget,
  open,
  options,
  rememberingKeys,
  spread,
  withSession,
} from './rabbitmq-harness.ts';

afterAll(disposeBroker);

describe.skipIf(missing)('RabbitMQ', () => {
  publisherSuite({
    publisher: () => rememberingKeys(createRabbitmqPublisher(options())),
    // RabbitMQ 3.10 never again elects a leader for a quorum queue when it is killed within 5 s of the queue's creation.
    newTarget: () => newTarget({ 'x-queue-type': 'classic' }),
    kill: () => broker().kill(),
    restart: () => broker().restart(),
    pause: () => broker().pause(),
    resume: () => broker().resume(),
  });

  test('many per key in flight with relaxed ordering', async () => {
    const target = await newTarget();
    await withSession(options({ ordering: 'relaxed' }), async (session, recorder) => {
      const messages = spread(target, 500, 1);
      session.enqueue(messages);
      await recorder.ackedCount(500);
      expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder(messages));
    });
  });

  describe('a message that no queue takes', () => {
    test('holds its key while others flow, although it is confirmed, and goes once a queue is bound', async () => {
      const target = await newTarget();
      await withSession(options(), async (session, recorder) => {
        const unroutable = { address: { kind: 'exchange', exchange: target.exchange, routingKey: 'later' } } as const;
        const held = [outgoing(unroutable, { key: 'held' }), outgoing(target, { key: 'held' }), outgoing(unroutable, { key: 'held' })]; // prettier-ignore
        const others = spread(target, 200, 20);
        session.enqueue([...held, ...others]);
        await recorder.ackedCount(200);
        await recorder.heard(() => recorder.retries.length >= 3, 'three returns');
        expect(recorder.retries[0]?.code).toBe('message_unroutable');
        expect(recorder.acked).toHaveLength(200);
        await bind(target, 'later');
        await recorder.ackedCount(203);
        expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder([...others, ...held]));
      });
    });

    test('is refused when its time is over, and its key goes on when released', async () => {
      const target = await newTarget();
      await withSession(options({ unroutableRetry: 200 }), async (session, recorder) => {
        const unroutable = outgoing({ address: { ...target.address, routingKey: 'nowhere' } as typeof target.address });
        session.enqueue([unroutable, outgoing(target)]);
        await recorder.heard(() => recorder.refusals.length > 0, 'the refusal');
        expect(recorder.refusals[0]).toMatchObject({ message: unroutable, fault: { code: 'message_unroutable' } });
        expect(recorder.retries.length).toBeGreaterThan(0);
        expect(recorder.acked).toEqual([]);
        session.release('key');
        await recorder.ackedCount(1);
      });
    });

    test('is not published as a single message', async () => {
      const target = await newTarget();
      await withSession(options(), async (session) => {
        const address = { kind: 'exchange', exchange: target.exchange, routingKey: 'nowhere' } as const;
        await expect(session.publishOne(outgoing({ address }))).rejects.toMatchObject({ code: 'message_unroutable' });
      });
    });
  });

  describe('a missing exchange', () => {
    const nowhere = { kind: 'exchange', exchange: 'not-there', routingKey: 'known' } as const;

    test('whose name a row gave is the fault of that row: all others are stored', async () => {
      const target = await newTarget();
      await withSession(options(), async (session, recorder) => {
        const [before, behind] = [spread(target, 100, 50), spread(target, 100, 50)];
        const lost = outgoing({ address: nowhere }, { key: 'lost' });
        session.enqueue([...before, lost, ...behind, outgoing({ address: nowhere }, { key: 'too' })]);
        await recorder.ackedCount(200);
        await recorder.heard(() => recorder.refusals.length === 2, 'two refusals');
        expect(recorder.refusals[0]).toMatchObject({ message: lost, fault: { code: 'message_unroutable' } });
        expect(recorder.refusals[0]?.fault.message).toContain('not-there');
        expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder([...before, ...behind]));
      });
    });

    test('that is deleted, of those that the configuration names, ends the session; what was acknowledged is stored', async () => {
      const target = await newTarget();
      await withSession(
        options(),
        async (session, recorder) => {
          const messages = spread(target, 300, 50);
          session.enqueue(messages);
          await recorder.ackedCount(1);
          await broker().management('DELETE', `/exchanges/%2F/${target.exchange}`);
          session.enqueue(spread(target, 300, 50));
          await recorder.heard(() => recorder.failures.length > 0, 'the failure');
          expect(recorder.failures[0]).toMatchObject({ code: 'broker_setup', class: 'configuration' });
          expect(recorder.failures[0]?.message).toContain(target.exchange);
          expect(recorder.refusals).toEqual([]);
          const stored = new Set((await target.readBack()).map(({ id }) => id));
          expect(recorder.ackedIds.filter((id) => !stored.has(id))).toEqual([]);
        },
        [target.address],
      );
    });

    test('is found at the start where it is known, and declared where that is wanted', async () => {
      const declared = { kind: 'exchange', exchange: `declared-${randomUUID()}`, routingKey: 'known' } as const;
      await expect(open(options(), [declared])).rejects.toMatchObject({ code: 'broker_setup' });
      const exchange = { name: declared.exchange, type: 'topic', durable: true, arguments: {} };
      const queue = {
        name: declared.exchange,
        declare: true,
        durable: true,
        arguments: { 'x-queue-type': 'quorum' },
        bindings: [{ exchange: declared.exchange, routingKey: '#' }],
      };
      await withSession(options({ declareExchanges: [exchange], queues: [queue] }), async (session, recorder) => {
        session.enqueue([outgoing({ address: declared })]);
        await recorder.ackedCount(1);
      });
    });

    test('for a single message harms no other', async () => {
      const target = await newTarget();
      await withSession(options(), async (session, recorder) => {
        const rejected = expect(session.publishOne(outgoing({ address: nowhere }))).rejects.toMatchObject({ code: 'broker_setup' }); // prettier-ignore
        session.enqueue(spread(target, 100, 10));
        await recorder.ackedCount(100);
        await rejected;
        await session.publishOne(outgoing(target));
        expect(recorder.failures).toEqual([]);
      });
    });
  });

  describe('a queue that rejects for being full', () => {
    test.each(['classic', 'quorum'])('keeps the order of each key (%s)', async (type) => {
      const limits = { 'x-max-length': 40, 'x-overflow': 'reject-publish', 'x-queue-type': type };
      const target = await newTarget(limits);
      await withSession(options(), async (session, recorder) => {
        const messages = spread(target, 400, 25);
        session.enqueue(messages);
        await recorder.heard(() => recorder.retries.length > 0, 'a nack');
        expect(recorder.retries[0]?.code).toBe('broker_unavailable');
        await until(
          async () => {
            await target.readBack();
            return recorder.acked.length === messages.length;
          },
          { what: 'all acknowledgements', everyMs: 50 },
        );
        expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder(messages));
      });
    });

    test('rejects a single message by an error that invites to try again', async () => {
      const target = await newTarget({ 'x-max-length': 1, 'x-overflow': 'reject-publish', 'x-queue-type': 'classic' });
      await withSession(options(), async (session) => {
        await session.publishOne(outgoing(target));
        const rejected = session.publishOne(outgoing(target));
        await expect(rejected).rejects.toMatchObject({ code: 'broker_unavailable', retryable: true });
      });
    });

    test('and goes on rejecting on this channel when there is room again, is left for another channel', async () => {
      const target = await newTarget({ 'x-overflow': 'reject-publish' });
      await broker().setPolicy(target.queue, { pattern: `^${target.queue}$`, definition: { 'max-length': 5 } });
      await withSession(options(), async (session, recorder) => {
        const messages = spread(target, 60, 30);
        session.enqueue(messages);
        await recorder.heard(() => recorder.retries.length > 0, 'a nack');
        await broker().removePolicy(target.queue);
        await recorder.ackedCount(messages.length);
        expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder(messages));
      });
    });
  });

  describe('an alarm', () => {
    test('suspends publishing and the confirm deadline until it is over', async () => {
      const target = await newTarget();
      await withSession(options({ confirmTimeout: 600 }), async (session, recorder) => {
        const messages = spread(target, 200, 200);
        await broker().setMemoryAlarm(true);
        try {
          session.enqueue(messages.slice(0, 100));
          await recorder.heard(() => recorder.retries.length > 0, 'the alarm');
          const since = performance.now();
          session.enqueue(messages.slice(100));
          await elapsed(since, 1_500);
          expect(recorder.failures).toEqual([]);
          expect(recorder.acked).toEqual([]);
        } finally {
          await broker().setMemoryAlarm(false);
        }
        await recorder.ackedCount(200);
      });
    });

    test('is not the fault of a single message, however long it takes', async () => {
      const target = await newTarget();
      await withSession(options({ confirmTimeout: 300 }), async (session, recorder) => {
        await broker().setMemoryAlarm(true);
        let settled = false;
        const single = session.publishOne(outgoing(target)).finally(() => (settled = true));
        try {
          await recorder.heard(() => recorder.retries.length > 0, 'the alarm');
          const since = performance.now();
          await elapsed(since, 1_000);
          expect(settled).toBe(false);
        } finally {
          await broker().setMemoryAlarm(false);
        }
        await single;
        expect(await target.readBack()).toHaveLength(1);
      });
    });

    test('does not keep a session from closing', async () => {
      const target = await newTarget();
      await withSession(options(), async (session, recorder) => {
        await broker().setMemoryAlarm(true);
        try {
          session.enqueue([outgoing(target)]);
          await recorder.heard(() => recorder.retries.length > 0, 'the alarm');
          const before = performance.now();
          await session.close(500);
          expect(performance.now() - before).toBeLessThan(1_500);
        } finally {
          await broker().setMemoryAlarm(false);
        }
      });
    });
  });
});
