import { chown, mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

/**
 * A new folder for the files of one service, owned by `uid` where given. Removed by {@link removeScratchFolder}, or at
 * the latest when this process exits.
 */
export async function scratchFolder(service: string, owner?: { uid: number; gid: number }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `outbox-relay-${service}-`));
  if (folders.size === 0) process.once('exit', removeAll);
  folders.add(folder);
  if (owner) await chown(folder, owner.uid, owner.gid);
  return folder;
}

/** Removes a folder that {@link scratchFolder} made. */
export async function removeScratchFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(folder);
  if (folders.size === 0) process.removeListener('exit', removeAll);
}

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
