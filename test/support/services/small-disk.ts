import { execFile } from 'node:child_process';
import { chown, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { removeScratchFolder, scratchFolder } from './scratch.ts';

const run = promisify(execFile);
const FILLER = 'filler';

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  readonly folder: string;
  /** Gives what has been put there to the owner. */
  own(path: string): Promise<void>;
  /** Leaves no room. */
  fill(): Promise<void>;
  /** Gives the room back. */
  free(): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * Mounts a file system in memory.
 *
 * @param owner who may write there
 * @returns null where we may not mount
 */
export async function mountSmallDisk(
  megabytes: number,
  owner: { readonly uid: number; readonly gid: number },
): Promise<SmallDisk | null> {
  const folder = await scratchFolder('disk');
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  } catch {
    await removeScratchFolder(folder);
    return null;
  }
  await chown(folder, owner.uid, owner.gid);
  const filler = join(folder, FILLER);
  return {
    folder,
    own: async (path) => {
      await run('chown', ['-R', `${owner.uid}:${owner.gid}`, path]);
    },
    fill: async () => {
      const { bavail, bsize } = await statfs(folder);
      await writeFile(filler, Buffer.alloc(bavail * bsize));
    },
    free: () => rm(filler, { force: true }),
    dispose: async () => {
      await run('umount', ['-l', folder]);
      await removeScratchFolder(folder);
    },
  };
}
