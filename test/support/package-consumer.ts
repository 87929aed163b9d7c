/** An application that has the packed package installed: a folder with `node_modules`, whose other packages are this project's. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/**
 * Makes the folder.
 *
 * @param archive what `npm pack` has made
 * @param without packages that the application does not have, by their names
 * @returns where the package lies in it
 */
export async function installPacked(archive: string, folder: string, without: readonly string[]): Promise<string> {
  const modules = join(folder, 'node_modules');
  const own = join(modules, 'outbox-relay');
  await mkdir(own, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', own, '--strip-components=1']);
  for (const name of await installed()) {
    if (name === 'outbox-relay' || without.includes(name)) continue;
    const link = join(modules, name);
    await mkdir(join(link, '..'), { recursive: true });
    await symlink(join(MODULES, name), link);
  }
  return own;
}

/** Takes out of an installed package all folders and files of `dist` but some. */
export async function keepOnly(own: string, kept: readonly string[]): Promise<void> {
  for (const name of await readdir(join(own, 'dist')))
    if (!kept.includes(name)) await rm(join(own, 'dist', name), { recursive: true });
}

/** The names of all packages of this project, scoped ones with their scope. */
async function installed(): Promise<readonly string[]> {
  const names: string[] = [];
  for (const name of await readdir(MODULES)) {
    if (name.startsWith('@')) names.push(...(await readdir(join(MODULES, name))).map((each) => `${name}/${each}`));
    else if (!name.startsWith('.')) names.push(name);
  }
  return names;
}
