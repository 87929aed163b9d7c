/** Transactions on a pool of pg that fail in all the ways that a service meets. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PooledSession, transact } from '../../src/client/index.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

const AT_ONCE = { baseMs: 1, maxMs: 1 } as const;

describeWithService('postgres', 'a transaction on a pool', () => {
  const database = freshDatabase();
  let pool: pg.Pool;

  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: database.url, max: 4 });
    await pool.query('CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL); INSERT INTO counters VALUES (1, 0)');
  });
  afterAll(() => pool.end());

  const counter = async (): Promise<number> => (await pool.query<{ n: number }>('SELECT n FROM counters')).rows[0]!.n;

  it('commits what its work has done, and gives back what that returns', async () => {
    const before = await counter();
    const result = await transact(pool, async (tx) => {
      await tx.query('UPDATE counters SET n = n + 1');
      return 'done';
    });
    expect([result, await counter()]).toEqual(['done', before + 1]);
  });

  it('rolls back when its work throws, and does not repeat what cannot pass', async () => {
    const before = await counter();
    let attempts = 0;
    const failing = transact(pool, async (tx) => {
      attempts++;
      await tx.query('UPDATE counters SET n = n + 1');
      await tx.query('INSERT INTO counters VALUES (1, 0)');
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect([attempts, await counter()]).toEqual([1, before]);
  });

  it('is repeated after serialization failures until it passes, so that nothing is counted short', async () => {
    const before = await counter();
    const increments = Array.from({ length: 4 }, () =>
      transact(
        pool,
        async (tx) => {
          const { rows } = await tx.query<{ n: number }>('SELECT n FROM counters');
          await tx.query('UPDATE counters SET n = $1', [rows[0]!.n + 1]);
        },
        { ...AT_ONCE, isolation: 'serializable', attempts: 50 },
      ),
    );
    await Promise.all(increments);
    expect(await counter()).toBe(before + 4);
  });

  it('is repeated on another session when its own is ended before COMMIT', async () => {
    const before = await counter();
    const sessions: unknown[] = [];
    await transact(pool, async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      sessions.push(rows[0]!.pid);
      await tx.query('UPDATE counters SET n = n + 1');
      if (sessions.length === 1) await pool.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
      await tx.query('SELECT 1');
    });
    expect(new Set(sessions).size).toBe(2);
    expect(await counter()).toBe(before + 1);
  });

  it('tells when COMMIT was answered by ROLLBACK, for an error was swallowed', async () => {
    const before = await counter();
    const swallowing = transact(pool, async (tx) => {
      await tx.query('UPDATE counters SET n = n + 1');
      await tx.query('INSERT INTO counters VALUES (1, 0)').catch(() => undefined);
    });
    await expect(swallowing).rejects.toMatchObject({ name: 'OutboxError', code: 'rolled_back' });
    expect(await counter()).toBe(before);
  });

  it('leaves its session to others, without listeners', async () => {
    const own = new pg.Pool({ connectionString: database.url, max: 1 });
    try {
      const listeners = async (): Promise<number> => {
        const session = await own.connect();
        const count = session.listenerCount('error');
        session.release();
        return count;
      };
      const before = await listeners();
      await transact(own, (tx) => tx.query('SELECT 1'));
      await transact(own, () => Promise.reject(new Error('refused'))).catch(() => undefined);
      expect([await listeners(), own.totalCount]).toEqual([before, 1]);
    } finally {
      await own.end();
    }
  });

  describe('whose answer to COMMIT is lost', () => {
    /** A pool whose first COMMIT commits, and whose answer does not arrive. */
    function losingPool() {
      const seen = { commits: 0, destroyed: 0 };
      const session: PooledSession = {
        query(text) {
          if (text === 'COMMIT' && ++seen.commits === 1)
            return Promise.reject(new Error('Connection terminated unexpectedly'));
          if (text === 'ROLLBACK') return Promise.reject(new Error('Client has encountered a connection error'));
          return Promise.resolve({ command: text });
        },
        on: () => undefined,
        off: () => undefined,
        release: (destroy) => void (seen.destroyed += Number(destroy)),
      };
      return { seen, pool: { connect: () => Promise.resolve(session) } };
    }

    it('is not repeated, for it may have committed', async () => {
      const { pool: losing, seen } = losingPool();
      await expect(transact(losing, () => Promise.resolve(), AT_ONCE)).rejects.toThrow('Connection terminated');
      expect(seen).toEqual({ commits: 1, destroyed: 1 });
    });

    it('is repeated if it is said to be idempotent', async () => {
      const { pool: losing, seen } = losingPool();
      await expect(transact(losing, () => Promise.resolve('again'), { ...AT_ONCE, idempotent: true })).resolves.toBe(
        'again',
      );
      expect(seen).toEqual({ commits: 2, destroyed: 1 });
    });
  });
});
