import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from './child-process.ts';

/** Where downloaded services are kept: `$OUTBOX_RELAY_CACHE`, or `outbox-relay` in the user's cache folder. */
export function cacheFolder(): string {
  const { OUTBOX_RELAY_CACHE, XDG_CACHE_HOME } = process.env;
  return OUTBOX_RELAY_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'outbox-relay');
}

/**
 * The folder `name` of the cache, filled by `fill` when it is not there yet. It appears as a whole or not at all, so
 * that an interrupted download is not taken for a complete one.
 *
 * @param fill gets the folder to fill, and the path that this folder will have in the end
 */
export async function cached(
  name: string,
  fill: (folder: string, finalPath: string) => Promise<void>,
): Promise<string> {
  const finalPath = join(cacheFolder(), name);
  if (await exists(finalPath)) return finalPath;
  await mkdir(cacheFolder(), { recursive: true });
  const folder = await mkdtemp(`${finalPath}.`);
  try {
    await fill(folder, finalPath);
    await rename(folder, finalPath).catch((error: unknown) => {
      // Another process was faster.
      if (!['ENOTEMPTY', 'EEXIST'].includes(String(errorCode(error)))) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return finalPath;
}

/** Whether there is something at `path`. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
