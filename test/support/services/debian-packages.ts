import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, cached, exists } from './cache.ts';
import { findProgram } from './child-process.ts';

const run = promisify(execFile);
const APT_TIMEOUT_MS = 180_000;

/** Packages of the distribution (Debian, Ubuntu) to unpack. */
export interface PackageSet {
  /** The package wanted. */
  readonly name: string;
  /** Which of its dependencies, direct and indirect, are unpacked with it. */
  readonly dependencies: RegExp;
}

/**
 * Unpacks packages of the distribution into the cache folder, without installing them and without being root, and
 * returns the folder that stands for `/`. Package lists that are missing or out of date are fetched into the cache.
 *
 * @throws when this is not a Debian-like system or the packages are not to be had
 */
export async function unpackPackages(set: PackageSet): Promise<string> {
  if (!findProgram('apt-get') || !findProgram('dpkg')) throw new Error('no apt-get here to fetch packages with');
  return cached(`packages-${set.name}`, async (folder, finalPath) => {
    const downloads = await mkdtemp(join(cacheFolder(), 'downloads-'));
    try {
      await download(set, downloads);
      for (const file of await readdir(downloads)) await run('dpkg', ['-x', join(downloads, file), folder]);
    } finally {
      await rm(downloads, { recursive: true, force: true });
    }
    await relocate(folder, finalPath);
  });
}

async function download(set: PackageSet, folder: string): Promise<void> {
  try {
    await downloadWith([], set, folder);
  } catch {
    await downloadWith(await privateLists(), set, folder);
  }
}

async function downloadWith(options: readonly string[], set: PackageSet, folder: string): Promise<void> {
  const ignored = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
    (kind) => `--no-${kind}`,
  );
  const { stdout } = await run('apt-cache', [...options, 'depends', '--recurse', ...ignored, set.name], {
    maxBuffer: 1 << 26,
    timeout: APT_TIMEOUT_MS,
  });
  const names = stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line) && !line.includes(':'));
  const wanted = new Set([set.name, ...names.filter((name) => set.dependencies.test(name))]);
  // As root apt would hand the download to an account that may not write here.
  const args = [...options, '-q', '-o', 'APT::Sandbox::User=root', 'download', ...wanted];
  await run('apt-get', args, { cwd: folder, timeout: APT_TIMEOUT_MS, maxBuffer: 1 << 26 });
}

/** Fetches package lists into the cache and returns the options that make apt use them. */
async function privateLists(): Promise<string[]> {
  const state = join(cacheFolder(), 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'archives', 'partial'), { recursive: true });
  const options = [`Dir::State::Lists=${state}/lists`, `Dir::Cache=${state}`].flatMap((option) => ['-o', option]);
  await run('apt-get', [...options, '-q', '-o', 'APT::Sandbox::User=root', 'update'], { timeout: APT_TIMEOUT_MS });
  return options;
}

/** Makes absolute links, and start scripts that name their own place, point into the unpacked tree. */
async function relocate(root: string, finalPath: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) await relocateLink(root, path);
  }
  const erlang = join(root, 'usr/lib/erlang');
  if (!(await exists(erlang))) return;
  const scripts = (await readdir(erlang, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && /^erlang\/(erts-[^/]+\/)?bin$/.test(relative(dirname(erlang), entry.parentPath)),
  );
  for (const script of scripts) await relocateScript(join(script.parentPath, script.name), finalPath);
}

async function relocateLink(root: string, path: string): Promise<void> {
  const target = await readlink(path);
  if (!target.startsWith('/') || !(await isInside(join(root, target)))) return;
  await unlink(path);
  await symlink(relative(dirname(path), join(root, target)), path);
}

async function isInside(path: string): Promise<boolean> {
  return (await exists(path)) || (await readlink(path).then(Boolean, () => false));
}

async function relocateScript(path: string, finalPath: string): Promise<void> {
  const text = await readFile(path, 'latin1');
  if (!text.startsWith('#!') || !text.includes('/usr/lib/erlang')) return;
  await writeFile(path, text.replaceAll('/usr/lib/erlang', `${finalPath}/usr/lib/erlang`), 'latin1');
}
