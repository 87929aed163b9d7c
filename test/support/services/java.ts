import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './cache.ts';
import { findProgram } from './child-process.ts';
import { unpackPackages } from './debian-packages.ts';

const RELEASES = ['17', '21', '25'];

/**
 * The home of a Java runtime: `$JAVA_HOME`, what is installed, or else the distribution's package unpacked into the
 * cache folder.
 *
 * @throws when none is to be had
 */
export async function javaHome(): Promise<string> {
  const { JAVA_HOME } = process.env;
  if (JAVA_HOME && (await exists(join(JAVA_HOME, 'bin/java')))) return JAVA_HOME;
  const installed = (await homesBelow('/usr/lib/jvm'))[0];
  if (installed !== undefined) return installed;
  const inPath = findProgram('java');
  if (inPath !== undefined) return join(inPath, '../..');
  return unpackJre();
}

async function unpackJre(): Promise<string> {
  let reason: unknown;
  for (const release of RELEASES) {
    try {
      const root = await unpackPackages({ name: `openjdk-${release}-jre-headless`, dependencies: /^$/ });
      const home = (await homesBelow(join(root, 'usr/lib/jvm')))[0];
      if (home !== undefined) return home;
    } catch (error) {
      reason = error;
    }
  }
  throw new Error('no Java runtime is installed, and none is to be had from the distribution', { cause: reason });
}

async function homesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const homes = names.sort().map((name) => join(folder, name));
  const usable = await Promise.all(homes.map((home) => exists(join(home, 'bin/java'))));
  return homes.filter((_, index) => usable[index]);
}
