import { randomBytes } from 'node:crypto';
import { appendFile, chown, copyFile, lstat, mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type Account, errorCode } from './child-process.ts';

/** The primary of which a copy is made. */
export interface BackedUpServer {
  readonly host: string;
  readonly port: number;
  readonly socketDir: string;
  readonly version: string;
}

/** From where to where the data is copied, and who shall own the copy. */
export interface StandbyCopy {
  readonly from: string;
  readonly to: string;
  readonly account: Account | undefined;
}

const NOT_COPIED = new Set(['postmaster.pid', 'postmaster.opts', 'standby.signal']);
const COPIED_EMPTY = new Set(['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_stat_tmp']);

/**
 * An online backup of a running server, made ready to start as its standby: what pg_basebackup does, which the npm
 * packages do not have. The WAL is streamed through a physical slot.
 *
 * @returns the slot's name
 */
export async function copyAsStandby(primary: BackedUpServer, copy: StandbyCopy): Promise<string> {
  const slot = `standby_${randomBytes(4).toString('hex')}`;
  const client = new pg.Client({ host: primary.socketDir, port: primary.port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    const [start, stop] =
      primary.version === '14'
        ? [`pg_start_backup('standby', true, false)`, 'pg_stop_backup(false, false)']
        : [`pg_backup_start('standby', true)`, 'pg_backup_stop(false)'];
    await client.query('select pg_create_physical_replication_slot($1, true)', [slot]);
    await client.query(`select ${start}`);
    await copyFolder(copy.from, copy.to, copy.account);
    const { rows } = await client.query<{ labelfile: string }>(`select labelfile from ${stop}`);
    await writeOwned(join(copy.to, 'backup_label'), rows[0]?.labelfile ?? '', copy.account);
    await writeOwned(join(copy.to, 'standby.signal'), '', copy.account);
    const connection = `host=${primary.host} port=${primary.port} user=postgres dbname=postgres`;
    await appendFile(join(copy.to, 'postgresql.auto.conf'), `primary_conninfo = '${connection}'\n`);
  } finally {
    await client.end();
  }
  return slot;
}

async function copyFolder(from: string, to: string, account: Account | undefined): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  if (account) await chown(to, account.uid, account.gid);
  for (const entry of await readdir(from)) {
    if (NOT_COPIED.has(entry)) continue;
    await copyEntry(join(from, entry), join(to, entry), { empty: COPIED_EMPTY.has(entry), account });
  }
}

async function copyEntry(
  from: string,
  to: string,
  options: { empty: boolean; account: Account | undefined },
): Promise<void> {
  const { account } = options;
  try {
    const info = await lstat(from);
    if (info.isDirectory()) {
      await mkdir(to, { mode: 0o700 });
      if (account) await chown(to, account.uid, account.gid);
      for (const entry of options.empty ? [] : await readdir(from)) {
        await copyEntry(join(from, entry), join(to, entry), { empty: false, account });
      }
    } else if (info.isSymbolicLink()) {
      await symlink(await readlink(from), to);
    } else if (info.isFile()) {
      await copyFile(from, to);
      if (account) await chown(to, account.uid, account.gid);
    }
  } catch (error) {
    // The server goes on working: what it removes in the meantime, recovery does not need.
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function writeOwned(path: string, text: string, account: Account | undefined): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  if (account) await chown(path, account.uid, account.gid);
}
