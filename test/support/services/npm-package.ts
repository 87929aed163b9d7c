import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const INSTALL_TIMEOUT_MS = 180_000;

/**
 * A package of npm with its dependencies, kept in the cache folder: for what is no dependency of this project.
 *
 * @returns a file beside its node_modules, for `createRequire`
 * @throws when npm cannot fetch it
 */
export async function npmPackage(name: string, version: string): Promise<string> {
  const folder = await cached(`npm-${name.replaceAll('/', '-')}-${version}`, async (filling) => {
    await writeFile(
      join(filling, 'package.json'),
      JSON.stringify({ private: true, dependencies: { [name]: version } }),
    );
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
    await promisify(execFile)('npm', args, { cwd: filling, timeout: INSTALL_TIMEOUT_MS });
  });
  return join(folder, 'package.json');
}
