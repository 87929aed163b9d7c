import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { type Account, errorCode } from './child-process.ts';
import { scratchFolder } from './scratch.ts';

const run = promisify(execFile);

/** The major versions of Postgres that the relay supports. */
export type PostgresMajor = '14' | '15' | '16' | '17' | '18';

/** The versions that tests can be run on. */
export const POSTGRES_MAJORS: readonly PostgresMajor[] = ['14', '15', '16', '17', '18'];

/** The major version that `$PG_VERSION` asks for. @throws when the relay does not support it */
export function postgresMajor(): PostgresMajor {
  const wanted = process.env.PG_VERSION ?? '18';
  const major = POSTGRES_MAJORS.find((one) => one === wanted);
  if (major === undefined) throw new Error(`PG_VERSION must be one of ${POSTGRES_MAJORS.join(', ')}, not ${wanted}`);
  return major;
}

/** The programs of one Postgres server. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The account to run them as; undefined for our own. Postgres refuses to run as root. */
  readonly account: Account | undefined;
}

// `nobody` exists everywhere, so no account needs to be made; the server only needs one that is not root.
const NOBODY: Account = { uid: 65534, gid: 65534 };

const found = new Map<PostgresMajor, Promise<PostgresBinaries>>();

/**
 * Finds the server of a major version in node_modules (workspace test/support/postgres-binaries).
 *
 * @throws when the package is not installed: there is none for this platform, or optional packages were left out
 */
export function postgresBinaries(major: PostgresMajor): Promise<PostgresBinaries> {
  const known = found.get(major) ?? locate(major);
  found.set(major, known);
  return known;
}

async function locate(major: PostgresMajor): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`;
  const root = packageRoot(`@postgres-${major}/${platform}`);
  if (root === undefined) throw new Error(`the npm package with PostgreSQL ${major} for ${platform} is not installed`);
  await makeSymlinks(root);
  const native = join(root, 'native');
  const account = process.getuid?.() === 0 ? NOBODY : undefined;
  const usable = account === undefined || (await canExecute(native, account)) ? native : await copyForAll(native);
  return { initdb: join(usable, 'bin', 'initdb'), postgres: join(usable, 'bin', 'postgres'), account };
}

function packageRoot(name: string): string | undefined {
  try {
    // The package exports only its entry point dist/index.js.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return undefined;
  }
}

/** What the package's install script does, which `npm ci --ignore-scripts` leaves out. */
async function makeSymlinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target);
    await symlink(relative(dirname(link), join(root, source)), link).catch((error: unknown) => {
      // There already, or not ours to make: whether the server runs is what tells.
      if (!['EEXIST', 'EROFS', 'EACCES'].includes(String(errorCode(error)))) throw error;
    });
  }
}

async function canExecute(native: string, account: Account): Promise<boolean> {
  return run(join(native, 'bin', 'postgres'), ['--version'], { ...account, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

/** A checkout below a private folder, such as root's home, is not to be read by the account that the server runs as. */
async function copyForAll(native: string): Promise<string> {
  const folder = await scratchFolder('binaries');
  await chmod(folder, 0o755);
  const copy = join(folder, 'native');
  await mkdir(copy);
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}
