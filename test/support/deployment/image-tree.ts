import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, copyFile, cp, lstat, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeRuntime } from '../services/node-runtime.ts';
import { type ImageConfig, imageConfig, type Instruction, parseDockerfile, type Stage } from './dockerfile.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NODE_MAJOR = '24';
const RUN_TIMEOUT_MS = 300_000;
/** What was done in this checkout already, from the same package-lock.json. */
const INSTALL_TOOLS = 'npm ci --workspaces=false --ignore-scripts';

/** The files of an image, and how a container of it is run. */
export interface ImageTree {
  /** The folder that stands for `/`. */
  readonly root: string;
  readonly config: ImageConfig;
}

/**
 * Carries out the Dockerfile without an engine: each stage in a folder of its own, COPY by copying, RUN by a shell in the
 * stage's working folder, with this machine's npm. In the place of the base images stand Node from npm and the C
 * libraries of this machine that it is linked with; in that of the tools for building, those of this checkout.
 *
 * @param folder an empty folder for the stages
 * @throws when Node is not to be had, or an instruction fails
 */
export async function buildImageTree(folder: string): Promise<ImageTree> {
  const stages = parseDockerfile(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
  const last = stages.at(-1);
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  for (const stage of stages) {
    const root = join(folder, stage.name);
    await mkdir(join(root, 'usr/local/bin'), { recursive: true });
    if (stage.name === 'node') await copyNode(root);
    if (stage === last) await copyLibraries(root);
    await buildStage(stage, root, folder);
  }
  return { root: join(folder, last.name), config: imageConfig(last) };
}

/** The bytes of all files below a folder, a file by a file. */
export async function treeSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(files.map(async (file) => (await lstat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function buildStage(stage: Stage, root: string, folder: string): Promise<void> {
  let workdir = '/';
  for (const instruction of stage.instructions) {
    if (instruction.name === 'WORKDIR') {
      workdir = instruction.text;
      await mkdir(join(root, workdir), { recursive: true });
    } else if (instruction.name === 'COPY') await copy(instruction, join(root, workdir), root, folder);
    else if (instruction.name === 'RUN') await execute(instruction, join(root, workdir));
  }
}

async function execute({ text }: Instruction, cwd: string): Promise<void> {
  if (text === INSTALL_TOOLS) {
    await symlink(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
    return;
  }
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const env = { ...process.env, TARGETARCH: arch, npm_config_prefer_offline: 'true' };
  await run('sh', ['-euc', text], { cwd, env, timeout: RUN_TIMEOUT_MS });
}

async function copy({ text }: Instruction, workdir: string, root: string, folder: string): Promise<void> {
  const words = text.split(/\s+/);
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '';
  for (const word of words) {
    const source = join(from === undefined ? ROOT : join(folder, from), word);
    const into = target.startsWith('/') ? join(root, target) : join(workdir, target);
    const isContent = (await lstat(source)).isDirectory() || !target.endsWith('/');
    const named = isContent ? into : join(into, basename(source));
    await mkdir(dirname(named), { recursive: true });
    // links stay links
    await cp(source, named, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  }
}

async function copyNode(root: string): Promise<void> {
  const node = join(root, 'usr/local/bin/node');
  await copyFile(join(await nodeRuntime(NODE_MAJOR), 'node'), node, constants.COPYFILE_FICLONE);
  await chmod(node, 0o755);
}

/** What the dynamic linker finds for Node, at the same places. */
async function copyLibraries(root: string): Promise<void> {
  const { stdout } = await run('ldd', [join(await nodeRuntime(NODE_MAJOR), 'node')]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  for (const library of libraries) {
    await mkdir(dirname(join(root, library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
}
