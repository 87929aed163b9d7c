/** What a pass hands out survives a crash of the server, although writers do not wait for the disk. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PostgresTableReader } from '../../src/capture/table/reader.ts';
import { NO_FILTERS } from '../../src/postgres/unpublished-rows.ts';
import { describeWithLauncher } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import * as harness from '../support/table-harness.ts';

const never = new AbortController().signal;

describeWithLauncher('postgres', 'rows that are not on disk yet', () => {
  let server: StartedPostgres;

  beforeAll(async () => {
    // Nothing but a commit that waits flushes the log within ten seconds; and the guard needs no wal_level.
    server = await startPostgres({
      version: postgresMajor(),
      settings: { wal_writer_delay: '10s', wal_level: 'replica', autovacuum: 'off', max_prepared_transactions: '0' },
    });
  });
  beforeEach(async () => {
    await server.query(`${harness.RECREATE}; CHECKPOINT`);
  });
  afterAll(() => server.dispose());

  async function insertUnflushed(): Promise<void> {
    const writer = await harness.connect(server.url);
    await writer.query('SET synchronous_commit = off');
    await writer.query(harness.insertKeys('unflushed'));
    await writer.end();
  }

  test('naive: a row that was read, and published, is gone after a crash', async () => {
    await insertUnflushed();
    expect(await server.query('SELECT FROM outbox')).toHaveLength(1);
    await server.stop('immediate');
    await server.restart();
    expect(await server.query('SELECT FROM outbox')).toHaveLength(0);
  });

  test('a row that a pass handed out is there after a crash, for a role that may only read the table', async () => {
    await server.query(`DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
      GRANT SELECT ON outbox, outbox_parked TO reader`);
    const reader = new PostgresTableReader({
      postgres: harness.postgresOptions(server.url, { user: 'reader' }),
      table: harness.outbox(),
      filters: NO_FILTERS,
    });
    await insertUnflushed();
    const pass = await reader.open(harness.request(), never);
    const handedOut = await harness.drain(pass);
    expect(harness.keys(handedOut)).toEqual(['unflushed']);
    await server.stop('immediate');
    await server.restart();
    expect(await server.query('SELECT id::text FROM outbox')).toEqual([{ id: handedOut[0]?.id }]);
    await reader.close();
  });
});
