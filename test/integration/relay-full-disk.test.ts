import { cp, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startRelay } from '../support/relay-process.ts';
import { connectAdmin } from '../support/outbox.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithLauncher, describeWithService } from '../support/service.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { mountSmallDisk, type SmallDisk } from '../support/services/small-disk.ts';
import { account, faults } from '../support/workload/accounting.ts';

/** Moves the log of a server to a disk that can be filled; null where we may not mount one. */
async function moveLog(server: StartedPostgres): Promise<SmallDisk | null> {
  const log = join(server.dataDir, 'pg_wal');
  const disk = await mountSmallDisk(128, await stat(log));
  if (disk === null) return null;
  onTestFinished(() => disk.dispose());
  await server.stop();
  const moved = join(disk.folder, 'pg_wal');
  await cp(log, moved, { recursive: true });
  await disk.own(moved);
  await rm(log, { recursive: true });
  await symlink(moved, log);
  await server.restart();
  return disk;
}

/** Writes until the server cannot any more. */
async function exhaust(url: string): Promise<void> {
  const client = await connectAdmin(url);
  await client.query('CREATE TABLE junk (text text); ALTER TABLE junk ALTER text SET STORAGE EXTERNAL');
  const megabyte = `INSERT INTO junk SELECT string_agg(md5(n::text || random()::text), '') FROM generate_series(1, 32768) n`;
  const writing = (async () => {
    for (let written = 0; written < 256; written++) await client.query(megabyte);
  })();
  await expect(writing).rejects.toThrow();
  await client.end().catch(() => undefined);
}

describeWithService('kafka', 'when the disk of the log is full', ({ url: brokers }) => {
  describeWithLauncher('postgres', 'and the server goes down with it', () => {
    it('nothing is lost, and the relay goes on when there is room', async (context) => {
      const server = await startPostgres({ settings: { min_wal_size: '32MB', max_wal_size: '48MB' } });
      onTestFinished(() => server.dispose());
      const disk = await moveLog(server);
      if (disk === null) {
        context.skip('a disk cannot be mounted here');
        return;
      }
      const stage = await kafkaStage(await server.createDatabase('shop'), brokers);
      const workload = await stage.write(51);
      const relay = await startRelay(stage.config);
      await relay.untilState('streaming');
      await workload.progress(50);
      await disk.fill();
      await exhaust(stage.outbox.url);
      await relay.untilRole('standby');

      await disk.free();
      await server.kill();
      await server.restart();
      await relay.untilState('streaming');
      await workload.progress(50);
      const written = await workload.stop();
      await stage.outbox.untilEmpty();
      expect(faults(account(written, await stage.arrived()), 'permitted')).toEqual([]);
    }, 120_000);
  });
});
