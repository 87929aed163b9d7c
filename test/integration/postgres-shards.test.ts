/** What the database knows of shards: which rows they have, their publications, and how many there are. */
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertPublished } from '../../src/capture/stream/publication-coverage.ts';
import { ONE_SHARD, type ShardLayout, type TableShard } from '../../src/core/sharding.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import { drawInstanceNumber, join, leave, readBoard, signSession } from '../../src/leader/board.ts';
import { holdLayout } from '../../src/leader/layout.ts';
import { beginEpoch, type LeaseKey, tryLock } from '../../src/leader/lease.ts';
import { type CheckContext, checkPostgres } from '../../src/postgres/check/index.ts';
import { companionTables, quoteIdentifier, quoteTable } from '../../src/postgres/identifier.ts';
import { applyInit, type InitOptions } from '../../src/postgres/init.ts';
import { rehomeMarks } from '../../src/postgres/parked-shards.ts';
import { shardPublication, VERSION_WITH_ROW_FILTERS } from '../../src/postgres/publication.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { shardFilter, shardOf } from '../../src/postgres/shard-filter.ts';
import { tableShards } from '../../src/postgres/sharding.ts';
import { inspectTable } from '../../src/postgres/table.ts';
import { connectAdmin, createOutbox, initOptions, postgresOptions, tableMapping } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

const LAYOUT: ShardLayout = { shards: 3, by: 'aggregateid' };

describeWithService('postgres', 'shards', () => {
  const database = freshDatabase();
  const clients: pg.Client[] = [];
  let admin: pg.Client;
  let version: number;

  const connect = async (): Promise<pg.Client> => {
    const client = await connectAdmin(database.url);
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    admin = await connect();
    const { rows } = await admin.query<{ n: number }>(`SELECT current_setting('server_version_num')::int AS n`);
    version = rows[0]!.n;
  });
  afterAll(() => Promise.all(clients.map((client) => client.end())));

  async function shardedOutbox(
    options: Partial<InitOptions> = {},
  ): Promise<{ options: InitOptions; table: OutboxTable }> {
    const made = await createOutbox(admin, { sharding: LAYOUT, ...options });
    return { options: made, table: await inspectTable(admin, made.mapping) };
  }
  const shardsOf = (table: OutboxTable, layout = LAYOUT): TableShard[] =>
    tableShards(layout, { ...table, columns: table.reads }).filter((shard) => shard !== null);

  describe('share rows out', () => {
    const TYPES = {
      text: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', '\\')),
      'character varying(80)': fc.string({ unit: 'grapheme', maxLength: 20 }),
      uuid: fc.uuid(),
      smallint: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }).map(String),
      integer: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String),
      bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    };
    // what doubles, ends or escapes something, for the types of characters
    const AWKWARD = ['', '\\', '\\\\', '\\000', '\\x41', "'", '"', '☃\\', 'ǅ', '\u{10ffff}', ' a ', 'A', 'a'];

    for (const [type, values] of Object.entries(TYPES)) {
      it(`by a column of type ${type}: each to one shard, in SQL as in TypeScript`, async () => {
        const awkward = type.startsWith('text') || type.startsWith('char') ? AWKWARD : [];
        await fc.assert(
          fc.asyncProperty(
            fc.integer({ min: 2, max: 64 }),
            fc.array(values, { minLength: 1, maxLength: 60 }),
            async (shards, given) => {
              const all = [...given, ...awkward];
              const column = { name: 'Key', type };
              const conditions = Array.from({ length: shards }, (_, shard) =>
                shardFilter({ shard, shards, column }, '"Key"'),
              );
              const { rows } = await admin.query<{ owners: number[] }>(
                `SELECT array_positions(ARRAY[${conditions.join(', ')}], true) AS owners
                 FROM unnest($1::text[]) WITH ORDINALITY t (given, place), LATERAL (SELECT given::${type} AS "Key") k ORDER BY place`,
                [all],
              );
              const inSql = rows.map(({ owners }) => owners.map((owner) => owner - 1));
              expect(inSql).toEqual(all.map((text) => [shardOf(text, column, shards)]));
            },
          ),
          { numRuns: 25 },
        );
      });
    }

    it('null to the first', async () => {
      const column = { name: 'k', type: 'text' };
      for (const shard of [0, 1, 2]) {
        const { rows } = await admin.query<{ owns: boolean }>(
          `SELECT ${shardFilter({ shard, shards: 3, column }, 'k')} IS TRUE AS owns FROM (SELECT NULL::text AS k) t`,
        );
        expect(rows[0]!.owns).toBe(shard === 0);
      }
      expect(shardOf(null, column, 3)).toBe(0);
    });

    it('evenly', () => {
      const column = { name: 'k', type: 'text' };
      const counts = [0, 0, 0, 0];
      for (let n = 0; n < 40_000; n++) counts[shardOf(`order-${n}`, column, 4)]! += 1;
      for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    });

    it('not by a column that cannot be hashed in a row filter', () => {
      expect(() => shardFilter({ shard: 0, shards: 2, column: { name: 'k', type: 'numeric(9,2)' } }, 'k')).toThrow(
        'rows cannot be shared out by the column k: it is of type numeric(9,2)',
      );
    });
  });

  describe('have publications', () => {
    const contextOf = ({ mapping, publication, sharding }: InitOptions): CheckContext => ({
      mapping,
      publication: publication!,
      captureMode: 'replication',
      walBudgetBytes: 2 ** 30,
      connection: null,
      ...(sharding === undefined ? {} : { sharding }),
    });
    const faults = async (options: InitOptions): Promise<string[]> =>
      (await checkPostgres(admin, contextOf(options)))
        .filter(({ status, subject }) => status !== 'ok' && subject.startsWith('postgres.publication'))
        .map(({ subject, message }) => `${subject}: ${message}`);

    async function watched(options: InitOptions, table: OutboxTable, shard: TableShard): Promise<boolean> {
      const session = new SqlSession(postgresOptions(database.url), { role: 'test' });
      const publication = shardPublication(options.publication!, shard.shard, shard.shards);
      return assertPublished(session, { publication, table, shard }).finally(() => session.close());
    }

    it.each(['text', 'character varying(40)', 'uuid', 'integer', 'bigint'])(
      'of their own rows, by a column of type %s with an awkward name',
      async (type) => {
        const mapping = tableMapping({ aggregateid: 'The "Key"' });
        await admin.query(`CREATE SCHEMA ${mapping.schema}; CREATE TABLE ${quoteTable(mapping)} (
          position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, aggregatetype text, "The ""Key""" ${type},
          type text, payload jsonb, headers jsonb, created_at timestamptz)`);
        const sharding = { shards: 3, by: 'The "Key"' };
        const { options, table } = await shardedOutbox({ mapping, sharding });
        expect(await faults(options)).toEqual([]);
        for (const shard of shardsOf(table, sharding))
          expect(await watched(options, table, shard)).toBe(version < VERSION_WITH_ROW_FILTERS);
        expect((await applyInit(admin, options, true)).statements).toEqual([]);
      },
    );

    it('whose filter must be exactly that of the shard: another one, or none, is told and mended', async ({ skip }) => {
      skip(version < VERSION_WITH_ROW_FILTERS, 'Postgres 14 has no row filters');
      const { options, table } = await shardedOutbox();
      const shard = shardsOf(table)[1]!;
      const name = shardPublication(options.publication!, 1, 3);
      const of = shardFilter(shard, 'aggregateid');
      for (const filter of [
        '',
        'WHERE (aggregateid IS NOT NULL)',
        `WHERE (NOT ${of})`,
        `WHERE (${of} OR type = 'x')`,
      ]) {
        await admin.query(`ALTER PUBLICATION ${quoteIdentifier(name)} SET TABLE ${quoteTable(table)} ${filter}`);
        await expect(watched(options, table, shard)).rejects.toMatchObject({
          code: 'replication_publication',
          message: `publication ${name}: has not the row filter of shard 1 for ${quoteTable(table)}`,
          remedy: expect.stringContaining(of) as string,
        });
        expect(await faults(options)).toEqual([
          `postgres.publication_row_filter: publication ${name} has not the row filter of its shard`,
        ]);
        await applyInit(admin, options, true);
        expect(await watched(options, table, shard)).toBe(false);
      }
    });

    it('that differ by the number of shards, so that others can be made while these are used', async () => {
      const { options } = await shardedOutbox();
      const more = { ...options, sharding: { shards: 4, by: 'aggregateid' } };
      await applyInit(admin, more, true);
      await applyInit(admin, { ...options, sharding: ONE_SHARD }, true);
      for (const each of [options, more, { ...options, sharding: ONE_SHARD }]) expect(await faults(each)).toEqual([]);
      const { rowCount } = await admin.query('SELECT FROM pg_publication WHERE starts_with(pubname, $1)', [
        options.publication,
      ]);
      expect(rowCount).toBe(3 + 4 + 1);
    });
  });

  describe('are of one number for all', () => {
    const LEASE_MS = 60_000;
    const hold = (client: pg.Client, table: OutboxTable, layout: ShardLayout): Promise<boolean> =>
      holdLayout(client, {
        table,
        layout,
        leaseMs: LEASE_MS,
        changing: (changer) => rehomeMarks(changer, table, tableShards(layout, { ...table, columns: table.reads })),
      });
    const TWO: ShardLayout = { shards: 2, by: 'aggregateid' };

    it('another number is refused while one holds, and while a lease may last; then it comes into force', async () => {
      const { table } = await shardedOutbox();
      const lease = quoteTable(companionTables(table).lease);
      const [holder, rival] = [await connect(), await connect()];
      expect(await hold(holder, table, LAYOUT)).toBe(false);
      expect(await hold(holder, table, LAYOUT)).toBe(true);
      const epoch = await beginEpoch(holder, { table, shard: 0, layout: LAYOUT }, 'holder');

      const differ = { code: 'shards_differ', message: expect.stringContaining('3 shards by aggregateid') as string };
      await expect(hold(rival, table, TWO)).rejects.toMatchObject(differ);
      await expect(hold(rival, table, { ...LAYOUT, by: 'type' })).rejects.toMatchObject(differ);
      await expect(hold(rival, table, ONE_SHARD)).rejects.toMatchObject(differ);
      await holder.query('SELECT pg_advisory_unlock_all()');
      await expect(hold(rival, table, TWO)).rejects.toMatchObject(differ);

      await admin.query(`UPDATE ${lease} SET renewed_at = clock_timestamp() - ${LEASE_MS + 1000} * interval '1 ms'`);
      expect(await hold(rival, table, TWO)).toBe(false);
      expect(await hold(rival, table, TWO)).toBe(true);
      await expect(hold(holder, table, LAYOUT)).rejects.toMatchObject({ code: 'shards_differ' });
      // what a leader of the old layout might still write is fenced
      expect(await beginEpoch(rival, { table, shard: 0, layout: TWO }, 'rival')).toBeGreaterThan(epoch + 1n);
    });

    it('one shard is one layout among others, and in force in an outbox that was set up before there were any', async () => {
      const { table } = await shardedOutbox();
      const lease = quoteTable(companionTables(table).lease);
      await admin.query(`INSERT INTO ${lease} (shard, epoch, holder) VALUES (0, 7, 'an older relay')`);
      const client = await connect();
      await expect(hold(client, table, LAYOUT)).rejects.toMatchObject({ code: 'shards_differ' });
      expect(await hold(client, table, ONE_SHARD)).toBe(true);
    });

    it('marks of parked rows go with their rows when the number changes', async () => {
      const { table } = await shardedOutbox();
      const parked = quoteTable(companionTables(table).parked);
      await admin.query(`INSERT INTO ${quoteTable(table)} (aggregatetype, aggregateid, type)
        SELECT 'a', 'key ' || n, 't' FROM generate_series(1, 40) n`);
      await admin.query(`INSERT INTO ${parked} (position, id, destination, key, code, reason)
        SELECT position, id::text, 'kafka', aggregateid, 'c', 'r' FROM ${quoteTable(table)}
        UNION ALL SELECT 1000, 'gone', 'kafka', 'k', 'c', 'r'`);
      await admin.query(`UPDATE ${parked} SET shard = 9`);
      const client = await connect();
      expect(await hold(client, table, LAYOUT)).toBe(false);
      const { rows } = await admin.query<{ shard: number; key: string; position: string }>(`SELECT * FROM ${parked}`);
      const [column] = shardsOf(table).map((shard) => shard.column);
      for (const { shard, key, position } of rows)
        expect(shard).toBe(position === '1000' ? 0 : shardOf(key, column!, LAYOUT.shards));
      expect(new Set(rows.map(({ shard }) => shard)).size).toBe(3);
    });
  });

  it('show who is there and who leads what, as long as their sessions last', async () => {
    const { table } = await shardedOutbox();
    const [member, leader, stranger] = [await connect(), await connectAdmin(database.url), await connect()];
    const key = (shard: number): LeaseKey => ({ table, shard, layout: LAYOUT });
    const instance = drawInstanceNumber();
    await join(member, table, instance);
    await signSession(leader, table, instance);
    expect(await tryLock(leader, key(2))).toBe(true);
    await beginEpoch(leader, key(2), 'a host 1');
    expect(await tryLock(stranger, key(0))).toBe(true);
    expect(await tryLock(stranger, key(2))).toBe(false);
    expect(await readBoard(admin, table, 3)).toEqual({
      members: [instance],
      leaders: new Map([
        [2, instance],
        [0, null],
      ]),
      holders: new Map([[2, 'a host 1']]),
    });
    await leave(member, table, instance);
    await leader.end();
    await expect.poll(async () => (await readBoard(admin, table, 3)).leaders.has(2)).toBe(false);
    expect((await readBoard(admin, table, 3)).members).toEqual([]);
  });

  it('are refused by a column that is not there', async () => {
    const sharding = { shards: 2, by: 'nowhere' };
    const { options } = await shardedOutbox({ sharding: ONE_SHARD });
    await expect(applyInit(admin, { ...options, sharding }, true)).rejects.toMatchObject({
      code: 'postgres_schema',
      message: expect.stringContaining('no column nowhere') as string,
    });
    const findings = await checkPostgres(admin, {
      ...{ mapping: options.mapping, publication: options.publication!, sharding },
      ...{ captureMode: 'auto', connection: null, walBudgetBytes: 2 ** 30 },
    });
    expect(findings.filter(({ status }) => status === 'error').map(({ subject }) => subject)).toEqual([
      'postgres.shards',
    ]);
  });

  it('may be planned for a table that is not there yet', async () => {
    const options = initOptions({ sharding: LAYOUT });
    const { statements } = await applyInit(admin, options, true);
    const names = [0, 1, 2].map((shard) => `publication ${shardPublication(options.publication!, shard, 3)}`);
    expect(statements.map(({ purpose }) => purpose)).toEqual(expect.arrayContaining(names));
  });
});
