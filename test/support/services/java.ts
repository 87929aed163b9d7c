import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './cache.ts';
import { findProgram } from './child-process.ts';
import { unpackPackages } from './debian-packages.ts';

const OLDEST = 17;
const RELEASES = [OLDEST, 21, 25];

/**
 * The home of a Java runtime: `$JAVA_HOME`, what is installed, or else the distribution's package unpacked into the
 * cache folder.
 *
 * @param least the oldest release that serves; 17 by default, which is taken for what is found without looking at it
 * @throws when none is to be had
 */
export async function javaHome(least = OLDEST): Promise<string> {
  const { JAVA_HOME } = process.env;
  const inPath = findProgram('java');
  const homes = [
    ...(JAVA_HOME && (await exists(join(JAVA_HOME, 'bin/java'))) ? [JAVA_HOME] : []),
    ...(await homesBelow('/usr/lib/jvm')),
    ...(inPath === undefined ? [] : [join(inPath, '../..')]),
  ];
  for (const home of homes) if (least === OLDEST || (await releaseOf(home)) >= least) return home;
  return unpackJre(least);
}

/** 0 when it does not tell. */
async function releaseOf(home: string): Promise<number> {
  const text = await readFile(join(home, 'release'), 'utf8').catch(() => '');
  return Number(/^JAVA_VERSION="(\d+)/m.exec(text)?.[1] ?? 0);
}

async function unpackJre(least: number): Promise<string> {
  let reason: unknown;
  for (const release of RELEASES.filter((one) => one >= least)) {
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
