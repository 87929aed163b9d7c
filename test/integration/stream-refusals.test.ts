/** Servers on which no stream is to be had, or not any more: each with what mends it. */
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { streamSource, type StreamOptions } from '../../src/capture/stream/stream-source.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import * as harness from '../support/stream-harness.ts';

const never = new AbortController().signal;

describe('servers that offer no replication', () => {
  async function withServer(
    settings: Record<string, string>,
    work: (server: StartedPostgres, sql: pg.Client) => Promise<void>,
  ) {
    await using server = await startPostgres({ version: '18', settings });
    const sql = await harness.connect(server.url);
    await sql.query(harness.CREATE_OUTBOX);
    await work(server, sql);
    await sql.end();
  }

  const open = (url: string, overrides: Partial<StreamOptions> = {}) =>
    streamSource(harness.streamOptions(url, overrides)).open(new harness.Recorder(), never);

  const unavailable = (code: string, remedy: string) => ({
    code: `replication_${code}`,
    remedy: expect.stringContaining(remedy) as string,
  });

  test('wal_level', async () => {
    await withServer({ wal_level: 'replica' }, async ({ url }) => {
      await expect(open(url)).rejects.toMatchObject(unavailable('wal_level', "SET wal_level = 'logical'"));
    });
  });

  test('no free slot, no free walsender, no permission, an unknown publication, a walsender frozen in mid-stream', async () => {
    await withServer({ max_replication_slots: '1', max_wal_senders: '2' }, async (server, sql) => {
      const { url } = server;
      await expect(open(url, { publication: 'none' })).rejects.toMatchObject(
        unavailable('publication', 'CREATE PUBLICATION "none"'),
      );
      await sql.query(`CREATE ROLE app LOGIN; GRANT SELECT ON outbox TO app`);
      await expect(open(url.replace('postgres@', 'app@'))).rejects.toMatchObject(
        unavailable('denied', 'ALTER ROLE "app" REPLICATION'),
      );

      const first = await open(url);
      await expect(open(url)).rejects.toMatchObject(unavailable('exhausted', 'max_replication_slots'));
      const second = await harness.connect(`${url}?replication=database`);
      await expect(open(url)).rejects.toMatchObject(unavailable('exhausted', 'max_wal_senders'));
      await Promise.all([second.end(), first.close()]);

      const recorder = new harness.Recorder();
      const frozen = await streamSource(harness.streamOptions(url, { walSenderTimeoutMs: 600 })).open(recorder, never);
      await server.pause();
      const from = performance.now();
      const error = await recorder.untilEnded();
      expect(error.code).toBe('replication_failed');
      expect(performance.now() - from).toBeLessThan(10_000);
      await frozen.close();
      await server.resume();
      expect(recorder.breaches).toEqual([]);
    });
  });
});
