import { join } from 'node:path';
import { npmTarball } from './npm-tarball.ts';

/**
 * A version of Node.js from npm, whose packages carry the official program, kept in the cache folder.
 *
 * @param version as `24` or `24.21.0`
 * @returns the folder with `node` in it
 * @throws when it is not to be had for this platform
 */
export async function nodeRuntime(version: string): Promise<string> {
  const { platform, arch } = process;
  return join(await npmTarball(`node-${platform}-${arch}`, version), 'bin');
}
