import { execFile } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { descendants, findProgram, hasEnded, type ServiceProcess, spawnService } from '../services/child-process.ts';
import { removeScratchFolder, scratchFolder } from '../services/scratch.ts';
import { until } from '../services/until.ts';
import type { ImageTree } from './image-tree.ts';

const run = promisify(execFile);
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What is run, and what it sees. */
export interface ContainerOptions {
  /** In the place of the image's command. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files by their paths inside: configurations and secrets, as mounted volumes. */
  readonly files?: Readonly<Record<string, string>>;
  /** Of another user than the image's. */
  readonly uid?: number;
}

/** @throws when this machine lets nobody make namespaces, which containers are made of */
export async function requireNamespaces(): Promise<void> {
  if (process.platform !== 'linux' || !findProgram('unshare', ['/usr/bin']))
    throw new Error('there is no unshare here');
  await run('unshare', [...namespaces(), 'true']);
}

/**
 * Runs an image tree as an engine does: the command as process 1 of a pid namespace, as the image's user, on a root file
 * system that nobody can write to, `/tmp` included. The network is this machine's. Killed when the running test ends.
 */
export async function startContainer(image: ImageTree, options: ContainerOptions = {}): Promise<Container> {
  const scratch = await scratchFolder('container');
  const mounts = await volumes(image, scratch, options.files ?? {});
  const { entrypoint, command, env, user } = image.config;
  const uid = options.uid ?? user.uid;
  const account = isRoot() ? [`--userspec=${uid}:${user.gid}`] : [];
  const args = [...entrypoint, ...(options.args ?? command)];
  const child = await spawnService(
    'unshare',
    [...namespaces(), 'sh', '-euc', ENTER, 'container', image.root, mounts.join('\n'), ...account, image.root, ...args],
    { logFile: join(scratch, 'output'), env: { PATH, ...env, ...options.env } },
  );
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(`--- output of a container\n${await child.output()}`);
    await child.killTree();
    await removeScratchFolder(scratch);
  });
  return new Container(child, { PATH, ...env, ...options.env }, uid);
}

/** A container that has been started. */
export class Container {
  readonly #child: ServiceProcess;
  readonly #env: Readonly<Record<string, string>>;
  readonly #uid: number;

  constructor(child: ServiceProcess, env: Readonly<Record<string, string>>, uid: number) {
    this.#child = child;
    this.#env = env;
    this.#uid = uid;
  }

  /** Resolves with how its process 1 ended: `exit code 0`. */
  get exited(): Promise<string> {
    return this.#child.exited;
  }

  /** The end of what it has printed. */
  output(): Promise<string> {
    return this.#child.output();
  }

  /** Waits until it has printed something like this. */
  async untilPrinted(pattern: RegExp): Promise<void> {
    await this.#child.untilReady(async () => pattern.test(await this.output()), 60_000);
  }

  /** Sends a signal to its process 1. */
  async signal(name: NodeJS.Signals): Promise<void> {
    process.kill(await this.#init(), name);
  }

  /** The account that its process 1 runs as, as `/proc` tells it. */
  async uid(): Promise<number> {
    return (await stat(`/proc/${await this.#init()}`)).uid;
  }

  /** How many processes below its process 1 have ended, and nobody has waited for them. */
  async zombies(): Promise<number> {
    const ended = await Promise.all((await descendants(await this.#init())).map(hasEnded));
    return ended.filter(Boolean).length;
  }

  /** Runs a command inside, as an engine does for a health check. Returns its exit code. */
  async exec(command: readonly string[]): Promise<number> {
    const account = isRoot()
      ? [`--setuid=${this.#uid}`, `--setgid=${this.#uid}`]
      : ['--user', '--preserve-credentials'];
    const args = [`--target=${await this.#init()}`, '--mount', '--pid', '--root', '--wd', ...account, ...command];
    try {
      await run('nsenter', args, { env: this.#env });
      return 0;
    } catch (error) {
      if (error instanceof Error && 'code' in error && typeof error.code === 'number') return error.code;
      throw error;
    }
  }

  /** Process 1, by the number that it has outside. */
  #init(): Promise<number> {
    return until(async () => (await descendants(this.#child.pid))[0], { what: 'process 1 of the container' });
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function namespaces(): string[] {
  return ['--mount', '--pid', '--fork', '--kill-child', ...(isRoot() ? [] : ['--user', '--map-root-user'])];
}

/** Makes what is to be mounted, and the places for it; each line of the answer is a source and a target. */
async function volumes(
  image: ImageTree,
  scratch: string,
  files: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const folders = new Map<string, string>();
  for (const [path, text] of Object.entries(files)) {
    const inside = dirname(path);
    const source = folders.get(inside) ?? join(scratch, `volume-${folders.size}`);
    folders.set(inside, source);
    await mkdir(source, { recursive: true });
    await writeFile(join(source, basename(path)), text, { mode: 0o644 });
  }
  const mounts = [['/dev', '/dev'] as const, ...[...folders].map(([inside, source]) => [source, inside] as const)];
  for (const inside of ['/proc', ...mounts.map(([, target]) => target)])
    await mkdir(join(image.root, inside), { recursive: true });
  return mounts.map(([source, inside]) => `${source} ${join(image.root, inside)}`);
}

/** In the new namespaces: $1 the image's root, $2 the mounts, then what chroot gets. */
const ENTER = `
root=$1 mounts=$2
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
echo "$mounts" | while read -r source target; do
  mount --rbind "$source" "$target"
  mount -o remount,ro,bind "$target"
done
mount -t proc proc "$root/proc"
mount -o remount,ro,bind "$root"
exec chroot "$@"
`;
