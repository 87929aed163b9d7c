import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RelayError } from '../../src/core/errors.ts';
import { ONE_SHARD } from '../../src/core/sharding.ts';
import { standForElection, type ElectionOptions } from '../../src/leader/election.ts';
import type { Term } from '../../src/leader/term.ts';
import { instanceName, sampleInstances } from '../../src/leader/instances.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { connectAdmin, createOutbox, postgresOptions } from '../support/outbox.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';

/** A promise that is resolved from outside. */
class Deferred<T> {
  resolve: (value: T) => void = () => undefined;
  readonly promise = new Promise<T>((resolve) => (this.resolve = resolve));
}

/** One instance standing for election, with promises for what happens to it. */
class Candidate {
  readonly stopping = new AbortController();
  readonly ended: Promise<void>;
  readonly waits = new Deferred<undefined>();
  readonly elected = new Deferred<Term>();
  readonly lost = new Deferred<RelayError>();
  terms = 0;

  constructor(options: ElectionOptions) {
    this.ended = standForElection(
      options,
      {
        waiting: () => this.waits.resolve(undefined),
        elected: () => this.terms++,
        lost: (error) => this.lost.resolve(error),
        failed: () => undefined,
      },
      (term) => this.#lead(term),
      this.stopping.signal,
    );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
  }

  #lead(term: Term): Promise<void> {
    this.elected.resolve(term);
    const over = AbortSignal.any([term.lost, this.stopping.signal]);
    return new Promise((resolve) => over.addEventListener('abort', () => resolve(), { once: true }));
  }
}

describeWithService('postgres', 'leader election', () => {
  const database = freshDatabase();
  const candidates: Candidate[] = [];
  let admin: pg.Client;
  let options: ElectionOptions;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    const { mapping } = await createOutbox(admin);
    options = {
      postgres: postgresOptions(database.url),
      table: { schema: mapping.schema, name: mapping.name },
      shard: 0,
      holder: 'test',
      leaseMs: 3000,
      layout: ONE_SHARD,
      changing: () => Promise.resolve(),
    };
  });
  afterEach(async () => {
    await Promise.all(candidates.splice(0).map((candidate) => candidate.stop()));
  });
  afterAll(() => admin.end());

  function stand(given: Partial<ElectionOptions> = {}): Candidate {
    const candidate = new Candidate({ ...options, ...given });
    candidates.push(candidate);
    return candidate;
  }

  const endSessions = (application: string) =>
    admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1', [
      `${application} leader %`,
    ]);

  it('elects one; the other waits, and takes over with a later epoch when the first stops', async () => {
    const first = stand();
    const { epoch } = await first.elected.promise;
    const second = stand();
    await second.waits.promise;
    expect(second.terms).toBe(0);
    await first.stop();
    expect((await second.elected.promise).epoch).toBe(epoch + 1n);
  });

  it('tells the leader at once when its session is ended, and elects again', async () => {
    const application = uniqueName('relay');
    const leader = stand({ postgres: { ...options.postgres, applicationName: application } });
    const { lost } = await leader.elected.promise;
    await endSessions(application);
    expect((await leader.lost.promise).code).toBe('leadership_lost');
    expect(lost.aborted).toBe(true);
    await expect.poll(() => leader.terms, { timeout: 10_000 }).toBe(2);
  });

  it('gives up by itself, and is replaced, when the network swallows everything', async () => {
    const [server] = options.postgres.hosts;
    const proxy = await TcpProxy.start({ host: server!.host, port: server!.port });
    try {
      const leader = stand({ postgres: { ...options.postgres, hosts: [{ host: '127.0.0.1', port: proxy.port }] } });
      await leader.elected.promise;
      const standby = stand();
      await standby.waits.promise;
      proxy.blackhole();
      const [error] = await Promise.all([leader.lost.promise, standby.elected.promise]);
      expect(error.code).toBe('leadership_lost');
    } finally {
      await proxy.dispose();
    }
  }, 30_000);

  it('shows who leads and who waits, by their names, of whatever shard', async () => {
    const session = new SqlSession(options.postgres, { role: 'test' });
    const seen = async (): Promise<string[]> =>
      (await sampleInstances(session, options.table)).map(({ name, leads }) => `${name} ${leads ? 'leads' : 'waits'}`);
    try {
      expect(await seen()).toEqual([]);
      const first = stand({ holder: `first ${'x'.repeat(99)} 17` });
      await first.elected.promise;
      const second = stand({ holder: 'zweite Größe 18' });
      await Promise.all([second.waits.promise, stand({ shard: 1, holder: 'elsewhere 19' }).elected.promise]);
      const { applicationName } = options.postgres;
      expect(await seen()).toEqual([
        `${instanceName(applicationName, `first ${'x'.repeat(99)} 17`)} leads`,
        'elsewhere 19 leads',
        'zweite Gr??e 18 waits',
      ]);
      expect((await seen())[0]).toMatch(/^x+ 17 leads$/);
      await first.stop();
      await second.elected.promise;
      expect((await seen()).sort()).toEqual(['elsewhere 19 leads', 'zweite Gr??e 18 leads']);
    } finally {
      await session.close();
    }
  });

  it('lets relays of other shards lead beside it', async () => {
    await Promise.all([stand().elected.promise, stand({ shard: 1 }).elected.promise]);
  });
});
