/** The inbox on a real Postgres: each message takes effect once, whatever goes wrong around it. */
import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, text } from 'drizzle-orm/pg-core';
import knex from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import type pg from 'pg';
import { expect, it } from 'vitest';
import { createInbox, createInboxTables, InboxError } from '../../src/inbox/index.ts';
import { delivered, gate, InboxStage, inboxStages, inboxStage, QUICK, waiting } from '../support/inbox-stage.ts';
import { describeWithLauncher, describeWithService, freshDatabase } from '../support/service.ts';
import { startPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import { uniqueName } from '../support/unique-name.ts';

describeWithService('postgres', 'an inbox', () => {
  const database = freshDatabase();
  const stage = inboxStages(database);

  it('handles a message once, and skips it when it comes again', async () => {
    const { inbox, effect, effects, ids } = await bound();
    expect(await inbox.handle({ id: 'a' }, effect)).toBe('handled');
    expect(await inbox.handle({ id: 'a' }, effect)).toBe('duplicate');
    expect([await effects(), await ids()]).toEqual([[{ id: 'a', key: null }], ['a']]);
  });

  it('records nothing where the handler fails, and lets it have its own error back', async () => {
    const { inbox, effect, effects, ids } = await bound();
    const failing = inbox.handle({ id: 'a' }, async (tx, message) => {
      await effect(tx, message);
      throw new RangeError('no stock');
    });
    await expect(failing).rejects.toThrow(new RangeError('no stock'));
    expect([await effects(), await ids()]).toEqual([[], []]);
    expect(await inbox.handle({ id: 'a' }, effect)).toBe('handled');
  });

  it('has a second copy wait for the first, wherever it is handled: a duplicate if that commits, handled if not', async () => {
    const one = await stage();
    const other = new InboxStage(one.pool, one.table);
    for (const fails of [false, true]) {
      const id = `copy ${fails}`;
      const [within, done] = [gate(), gate()];
      const first = one.inbox.handle({ id }, async (tx, message) => {
        await one.effect(tx, message);
        within.open();
        await done.opened;
        if (fails) throw new Error('after all');
      });
      await within.opened;
      let ran = false;
      const second = other.inbox.handle({ id }, (tx, message) => {
        ran = true;
        return other.effect(tx, message);
      });
      await until(() => waiting(one.pool), { what: 'the second copy to wait' });
      expect(ran).toBe(false);
      done.open();
      expect((await Promise.allSettled([first])).map(({ status }) => status)).toEqual([
        fails ? 'rejected' : 'fulfilled',
      ]);
      expect(await second).toBe(fails ? 'handled' : 'duplicate');
    }
    expect(await one.effects()).toHaveLength(2);
  });

  it('lets several consumers share the tables: each handles a message once', async () => {
    const one = await stage();
    const other = new InboxStage(one.pool, one.table, { consumer: 'other' });
    for (const { inbox, effect } of [one, other, one, other]) await inbox.handle({ id: 'a' }, effect);
    expect(await one.effects()).toHaveLength(2);
  });

  it('lends its connection to query builders, as the guide shows', async () => {
    const one = await stage();
    const rows = ['drizzle', 'kysely', 'knex'].map((id) => ({ inbox: one.table, id }));
    const failing = one.inbox.handle({ id: 'a' }, async (tx) => {
      await writeWithBuilders(tx, rows);
      throw new Error('after all of them');
    });
    await expect(failing).rejects.toThrow('after all of them');
    expect(await one.effects()).toEqual([]);
    await one.inbox.handle({ id: 'a' }, (tx) => writeWithBuilders(tx, rows));
    expect((await one.effects()).map(({ id }) => id)).toEqual(['drizzle', 'kysely', 'knex']);
  });

  it('takes ids of any length', async () => {
    const { inbox, effect, effects } = await bound();
    const long = 'x'.repeat(20_000);
    for (const id of [long, `${long}y`, long]) await inbox.handle({ id }, effect);
    expect(await effects()).toHaveLength(2);
  });

  it('takes none that says nothing: all messages with it would be one, and no repetition helps', async () => {
    const { inbox, effect, effects } = await bound();
    for (const id of ['', 'a\0b', undefined, 5])
      await expect(inbox.handle({ id: id as string }, effect)).rejects.toMatchObject({ code: 'no_id' });
    expect(await effects()).toEqual([]);
  });

  it('finds out a handler that goes on as if its statement had not failed', async () => {
    const { inbox, effects } = await bound();
    const swallowing = inbox.handle({ id: 'a' }, async (tx) => {
      await tx.query('SELECT 1/0').catch(() => undefined);
    });
    await expect(swallowing).rejects.toMatchObject({ code: 'transaction_aborted' });
    expect(await effects()).toEqual([]);
  });

  it('finds out a handler that ends the transaction itself', async () => {
    const { inbox } = await bound();
    for (const end of ['COMMIT', 'ROLLBACK'])
      await expect(inbox.handle({ id: end }, (tx) => tx.query(end))).rejects.toMatchObject({
        code: 'transaction_ended',
      });
  });

  it('has what a failed handler left running do nothing in the transaction of another message', async () => {
    const one = await stage();
    const pool = one.pool;
    const [failed, done] = [gate(), gate()];
    let late: Promise<unknown> = Promise.resolve();
    const failing = one.inbox.handle({ id: 'a' }, async (tx) => {
      late = failed.opened.then(() => one.effect(tx, { id: 'stray' }));
      late.catch(() => undefined);
      return Promise.reject(new Error('before the other half was done'));
    });
    await expect(failing).rejects.toThrow('before the other half');
    const next = one.inbox.handle({ id: 'b' }, async (tx, message) => {
      await one.effect(tx, message);
      failed.open();
      await done.opened;
    });
    await expect(late).rejects.toThrow();
    done.open();
    await next;
    expect(await one.effects()).toEqual([{ id: 'b', key: null }]);
    expect(pool.totalCount).toBeGreaterThan(0);
  });

  it('ends a handler that takes too long, and what it asked of the database', async () => {
    const one = await stage({ timeoutMs: 50 });
    let aborted = false;
    const slow = one.inbox.handle({ id: 'a' }, async (tx, message, { signal }) => {
      signal.addEventListener('abort', () => (aborted = true));
      await one.effect(tx, message);
      await new Promise(() => undefined);
    });
    await expect(slow).rejects.toMatchObject({ code: 'attempt_timeout' });
    expect([aborted, await one.effects()]).toEqual([true, []]);
    expect(await one.inbox.handle({ id: 'a' }, one.effect)).toBe('handled');
  });

  it('gives up what loses the session each time, and no message for a session that the server ends', async () => {
    const one = await stage({ retry: { ...QUICK, attempts: 2 } });
    let ended = 0;
    const outcome = await one.process(delivered('a'), async (tx, message) => {
      if (ended++ < 4) await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
      await one.effect(tx, message);
    });
    expect([outcome, ended]).toEqual(['handled', 5]);
    const socket = (tx: pg.PoolClient): { destroy(): void } =>
      (tx as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
    const lost = await one.process(delivered('b'), async (tx) => {
      socket(tx).destroy();
      await tx.query('SELECT 1');
    });
    expect(lost).toBe('dead-lettered');
    expect(await one.inbox.deadLetters.list()).toMatchObject([{ id: 'b', reason: 'session_lost', attempts: 10 }]);
  });

  it('begins nothing and settles nothing when it has to stop', async () => {
    const one = await stage({ retry: { attempts: 5, baseMs: 600_000, maxMs: 600_000 } });
    const [stopping, aborted] = [new AbortController(), new AbortController()];
    const signals = { stopping: stopping.signal, aborted: aborted.signal };
    const within = gate();
    const pausing = one.process(delivered('a'), () => Promise.reject(new Error('again')), signals);
    const hanging = one.process(delivered('b'), () => (within.open(), new Promise(() => undefined)), signals);
    await Promise.all([within.opened, until(() => one.events.length === 1, { what: 'the pause' })]);
    stopping.abort();
    expect(await pausing).toBe('abandoned');
    aborted.abort();
    expect(await hanging).toBe('abandoned');
    expect(await one.process(delivered('c'), one.effect, signals)).toBe('abandoned');
    expect(await one.ids()).toEqual([]);
  });

  it.each(['repeatable read', 'serializable'] as const)('handles once with %s, too', async (isolation) => {
    const one = await stage({ isolation });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => one.process(delivered('a'))));
    expect(outcomes.toSorted()).toEqual([...Array<string>(7).fill('duplicate'), 'handled']);
    expect(await one.effects()).toHaveLength(1);
  });

  it('deletes old ids of its own, a bounded number at a time, and keeps the others', async () => {
    const one = await stage();
    const other = new InboxStage(one.pool, one.table, { consumer: 'other' });
    for (let n = 0; n < 25; n++) await one.inbox.handle({ id: `old ${n}` }, one.effect);
    await other.inbox.handle({ id: 'of another' }, other.effect);
    await one.pool.query(`UPDATE ${one.table} SET handled_at = now() - interval '2 hours'`);
    await one.inbox.handle({ id: 'new' }, one.effect);
    const options = { olderThanMs: 3_600_000, batch: 10 };
    expect(await one.inbox.cleanUp({ ...options, maxBatches: 1 })).toBe(10);
    const [a, b] = await Promise.all([one.inbox.cleanUp(options), one.inbox.cleanUp(options)]);
    expect(a + b + (await one.inbox.cleanUp(options))).toBe(15);
    expect(await one.ids()).toEqual(['of another', 'new']);
  });

  it('makes its tables where they are not, by many at a time, by any name', async () => {
    const one = await stage();
    const table = `"${uniqueName('In box')}"`;
    await Promise.all(Array.from({ length: 6 }, () => createInboxTables(one.pool, { table })));
    const inbox = createInbox({ pool: one.pool, consumer: 'x', table });
    expect(await inbox.handle({ id: 'a' }, one.effect)).toBe('handled');
    expect(() => createInbox({ pool: one.pool, consumer: 'x', table: 'a; DROP TABLE b' })).toThrow(InboxError);
    expect(() => createInbox({ pool: one.pool, consumer: '' })).toThrow(InboxError);
  });

  async function bound(): Promise<
    Pick<InboxStage, 'inbox' | 'effect'> & { effects: InboxStage['effects']; ids: InboxStage['ids'] }
  > {
    const one = await stage();
    return { inbox: one.inbox, effect: one.effect, effects: () => one.effects(), ids: () => one.ids() };
  }
});

describeWithLauncher('postgres', 'an inbox whose database is restarted', () => {
  it('waits, counts no attempt, gives nothing up, and handles each message once', async () => {
    await using server = await startPostgres();
    const one = await inboxStage(server.url, { retry: { attempts: 1, baseMs: 1, maxMs: 1 } });
    let begun = 0;
    const [within, killed] = [gate(), gate()];
    const handler = async (tx: pg.PoolClient, message: { id: string }): Promise<void> => {
      if (++begun > 40) {
        within.open();
        await killed.opened;
      }
      await one.effect(tx, message);
    };
    const all = Array.from({ length: 300 }, (_, n) => one.process(delivered(String(n)), handler));
    await within.opened;
    await server.kill();
    killed.open();
    await until(() => one.events.some(({ type }) => type === 'circuit'), { what: 'the breaker to open' });
    await server.restart();
    const outcomes = await Promise.all(all);
    expect(new Set(outcomes)).toEqual(new Set(['handled']));
    expect((await one.effects()).map(({ id }) => Number(id)).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
    expect(one.events.some(({ type }) => type === 'database-trouble')).toBe(true);
    await one.end();
  });
});

const effects = pgTable('effects', { inbox: text('inbox'), id: text('id') });

/** Each builder inserts one of the rows, over the connection of the transaction. */
async function writeWithBuilders(tx: pg.PoolClient, rows: readonly { inbox: string; id: string }[]): Promise<void> {
  const [first, second, third] = rows;
  await drizzle(tx).insert(effects).values(first!);
  const session = { query: tx.query.bind(tx), release: () => undefined };
  const pool = { connect: () => Promise.resolve(session), end: () => Promise.resolve() };
  const kysely = new Kysely<{ effects: { inbox: string; id: string } }>({ dialect: new PostgresDialect({ pool }) });
  await kysely.insertInto('effects').values(second!).execute();
  await knex({ client: 'pg' })('effects').insert(third).connection(tx);
}
