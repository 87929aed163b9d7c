/** What becomes of messages that cannot be handled, on a real Postgres. */
import type pg from 'pg';
import { expect, it } from 'vitest';
import { MessageRejected } from '../../src/inbox/index.ts';
import { delivered, gate, type InboxStage, inboxStages, waiting } from '../support/inbox-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { until } from '../support/services/until.ts';

describeWithService('postgres', 'dead letters', () => {
  const stage = inboxStages(freshDatabase());

  it('tries again with pauses, and ends as a dead letter with everything that there is to know', async () => {
    const one = await stage();
    let attempts = 0;
    const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x-\0': 'a\0b' };
    const outcome = await one.process(
      delivered('a', { key: 'k', headers, body: Buffer.from('{"n":2}') }),
      async (tx, message) => {
        attempts++;
        expect(message).toMatchObject({ id: 'a', key: 'k', payload: { n: 2 }, trace: { spanId: 'b7ad6b7169203331' } });
        await one.effect(tx, message);
        throw new Error('out of stock', { cause: new Error('cause') });
      },
    );
    expect([outcome, attempts, await one.effects()]).toEqual(['dead-lettered', 3, []]);
    expect(await one.inbox.deadLetters.list()).toMatchObject([
      {
        ...{ id: 'a', key: 'k', orderKey: 'k', type: 'made', reason: 'attempts_exhausted', attempts: 3 },
        ...{ error: 'out of stock: cause', body: Buffer.from('{"n":2}'), source: { broker: 'test' } },
        headers: { traceparent: headers.traceparent, 'x-\uFFFD': 'a\uFFFDb' },
      },
    ]);
    expect(one.events.map(({ type }) => type)).toEqual(['retry', 'retry', 'dead-letter', 'settled']);
    expect(await one.process(delivered('a', { key: 'k' }))).toBe('duplicate');
  });

  it.each([
    ['a rejected one', delivered('a'), 'rejected'],
    ['a body that is no JSON', delivered('a', { body: Buffer.from('{"n":') }), 'undecodable'],
    ['a body that is no text', delivered('a', { body: Buffer.from([0x22, 0xff, 0x22]) }), 'undecodable'],
    ['one without an id', delivered(null, { position: 'topic/1/2' }), 'no_id'],
    ['one with an id that Postgres cannot hold', delivered('a\0b', { position: 'topic/1/2' }), 'no_id'],
  ])('gives up %s at once, and once', async (_, delivery, reason) => {
    const one = await stage();
    let ran = 0;
    const handler = (): Promise<never> => Promise.reject(new MessageRejected(`no ${++ran}`));
    expect(await one.process(delivery, handler)).toBe('dead-lettered');
    expect(await one.process(delivery, handler)).toBe('duplicate');
    expect([(await one.inbox.deadLetters.list()).map((letter) => letter.reason), ran]).toEqual([
      [reason],
      reason === 'rejected' ? 1 : 0,
    ]);
  });

  it('keeps what has neither an id nor a place each time that it comes', async () => {
    const one = await stage();
    for (let n = 0; n < 2; n++) expect(await one.process(delivered(null))).toBe('dead-lettered');
    expect(await one.inbox.deadLetters.list()).toHaveLength(2);
  });

  it('writes one whatever its place is called: a routing key may be any bytes', async () => {
    const one = await stage();
    const source = { broker: 'rabbitmq', queue: 'q', routingKey: 'a\0b' };
    expect(await one.process({ ...delivered('a', { body: Buffer.from('{') }), source })).toBe('dead-lettered');
    expect(await one.inbox.deadLetters.list()).toMatchObject([{ source: { ...source, routingKey: 'a\uFFFDb' } }]);
  });

  const poisoned = (one: InboxStage) => (tx: pg.PoolClient, message: { id: string; key?: string | null }) =>
    message.id.startsWith('bad') ? Promise.reject(new MessageRejected('bad')) : one.effect(tx, message);

  it('holds a key back behind a dead letter, in order, and only it', async () => {
    const one = await stage();
    const outcomes: string[] = [];
    for (const [id, key] of [
      ['bad', 'k'],
      ['k1', 'k'],
      ['other', 'o'],
      ['k2', 'k'],
      ['free', null],
    ] as const)
      outcomes.push(await one.process(delivered(id, { key }), poisoned(one)));
    expect(outcomes).toEqual(['dead-lettered', 'held', 'handled', 'held', 'handled']);
    const letters = await one.inbox.deadLetters.list({ orderKey: 'k' });
    expect(letters.map(({ id, reason }) => [id, reason])).toEqual([
      ['bad', 'rejected'],
      ['k1', 'key_blocked'],
      ['k2', 'key_blocked'],
    ]);
    const [bad, k1, k2] = letters.map(({ position }) => position);
    await expect(one.inbox.deadLetters.retry(k2!, { handler: one.effect })).rejects.toMatchObject({
      code: 'not_first_of_key',
    });
    const report = await one.inbox.deadLetters.retryAll({ handler: poisoned(one) });
    expect(report).toMatchObject({ handled: 0, failed: [{ position: bad }] });
    expect(await one.inbox.deadLetters.list({ limit: 1 })).toMatchObject([{ position: bad, attempts: 2 }]);
    expect(await one.inbox.deadLetters.discard(bad!)).toMatchObject({ id: 'bad' });
    await one.inbox.deadLetters.retry(k1!, { handler: one.effect });
    expect(await one.process(delivered('k3', { key: 'k' }))).toBe('held');
    expect(await one.inbox.deadLetters.retryAll({ handler: one.effect })).toEqual({ handled: 2, failed: [] });
    expect(await one.process(delivered('k4', { key: 'k' }))).toBe('handled');
    const ofKey = (await one.effects()).filter(({ key }) => key === 'k').map(({ id }) => id);
    expect(ofKey).toEqual(['k1', 'k2', 'k3', 'k4']);
    expect(await one.process(delivered('bad', { key: 'k' }))).toBe('duplicate');
    await expect(one.inbox.deadLetters.discard(bad!)).rejects.toMatchObject({ code: 'no_such_letter' });
  });

  it('lets nobody past a dead letter that is just being retried', async () => {
    const one = await stage();
    await one.process(delivered('bad', { key: 'k' }), poisoned(one));
    const [letter] = await one.inbox.deadLetters.list();
    const [within, done] = [gate(), gate()];
    const retried = one.inbox.deadLetters.retry(letter!.position, {
      handler: async (tx, message) => {
        await one.effect(tx, message);
        within.open();
        await done.opened;
      },
    });
    await within.opened;
    const next = one.process(delivered('k1', { key: 'k' }));
    await until(() => waiting(one.pool), { what: 'the next of the key to wait' });
    done.open();
    await retried;
    expect(await next).toBe('handled');
    expect((await one.effects()).map(({ id }) => id)).toEqual(['bad', 'k1']);
  });

  it('lets later messages past a dead letter where it is told to', async () => {
    const one = await stage({ afterDeadLetter: 'skip' });
    expect(await one.process(delivered('bad', { key: 'k' }), poisoned(one))).toBe('dead-lettered');
    expect(await one.process(delivered('k1', { key: 'k' }), poisoned(one))).toBe('handled');
  });

  it('tells of a dead letter in its own transaction, and writes none without', async () => {
    let fails = 1;
    const one = await stage({
      onDeadLetter: async (tx, { id }) => {
        await tx.query('INSERT INTO effects (inbox, id) VALUES ($1, $2)', [one.table, `letter of ${id}`]);
        if (fails-- > 0) throw new Error('the first time');
      },
    });
    expect(await one.process(delivered('bad'), poisoned(one))).toBe('dead-lettered');
    expect(await one.effects()).toEqual([{ id: 'letter of bad', key: null }]);
    expect(await one.inbox.deadLetters.list()).toHaveLength(1);
  });
});
