import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samplesOf } from '../support/doc-samples.ts';
import { installPacked, keepOnly } from '../support/package-consumer.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { describeWithService, describeWithTool, freshDatabase } from '../support/service.ts';
import { nodeRuntime } from '../support/services/node-runtime.ts';
import { spawnService } from '../support/services/child-process.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 300_000;

/** Every version of Node that is supported, oldest first: the very first that package.json admits, then the newest of each. */
const NODE_VERSIONS = ['20.19.4', '22', '24'] as const;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}

const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

/** What applications import: `outbox-relay/client`, ... */
const ENTRIES = Object.entries(MANIFEST.exports).flatMap(([path, target]) =>
  typeof target === 'string' ? [] : [{ name: path.replace(/^\./, 'outbox-relay'), types: target.types }],
);

/** Of the dependencies, those that applications load with what they import. */
const OF_APPLICATIONS: readonly string[] = ['@opentelemetry/api', '@opentelemetry/core', 'cockatiel'];

const GUIDES = ['docs/writer.md'];

/** How applications resolve modules: Node's own rules, as of two years, and those of bundlers. */
const RESOLUTIONS = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
] as const;

const STRICT = { strict: true, noEmit: true, target: 'es2022', types: ['node'], skipLibCheck: true };

const listed = async (folder: string, pattern: RegExp): Promise<string[]> => {
  const entries = await readdir(join(ROOT, folder), { recursive: true });
  return entries.filter((name) => pattern.test(name)).map((name) => `${folder}/${name}`);
};

describe('the package', () => {
  const folder = { path: '' };
  const stage = (...parts: readonly string[]): string => join(folder.path, 'stage', ...parts);
  const archive = async (): Promise<string> =>
    join(folder.path, (await readdir(folder.path)).find((name) => name.endsWith('.tgz')) ?? '');
  const bin = (): string => join(folder.path, 'prefix', 'bin', 'outbox-relay');

  beforeAll(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'outbox-relay-package-'));
    await mkdir(stage(), { recursive: true });
    // what it is built from, what `npm pack` takes, and some that it must not take
    const built = ['src', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.types.json'];
    const packed = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'sql', 'config'];
    for (const name of [...built, ...packed, 'helm', 'deploy', 'Dockerfile', '.npmrc'])
      await cp(join(ROOT, name), stage(name), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), stage('node_modules'));
    await run('npm', ['run', 'build'], { cwd: stage(), timeout: TIMEOUT_MS });
    await rm(stage('node_modules'));
    await run('npm', ['pack', './stage', '--ignore-scripts', '--silent'], { cwd: folder.path, timeout: TIMEOUT_MS });
  }, TIMEOUT_MS);
  afterAll(() => rm(folder.path, { recursive: true, force: true }));

  it('holds what runs and what is read, and nothing else', async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: stage() });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const sources = await listed('src', /\.(ts|js|css|html)$/);
    const expected = [
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'],
      ...(await listed('sql', /^\d{3}-[a-z-]+\.sql$/)),
      ...(await listed('config', /\.(yaml|json)$/)),
      ...sources.map((path) => path.replace(/^src/, 'dist').replace(/\.ts$/, '.js')),
    ];
    const isDeclaration = (path: string): boolean => path.endsWith('.d.ts');
    const paths = files.map(({ path }) => path).sort();
    expect(paths.filter((path) => !isDeclaration(path))).toEqual(expected.sort());
    // types of what applications import, and of what that is made of
    for (const path of paths.filter(isDeclaration)) expect(path).toMatch(/^dist\/(client|inbox|resilience|core)\//);
    for (const { types } of ENTRIES) expect(paths).toContain(types.slice(2));
  });

  it('names everything that it imports among its dependencies', async () => {
    const dependencies = { ...MANIFEST.dependencies, ...MANIFEST.peerDependencies };
    const texts = await Promise.all((await listed('src', /\.ts$/)).map((path) => readFile(join(ROOT, path), 'utf8')));
    const imported = texts
      .flatMap((text) => [...text.matchAll(/\b(?:from |import\()'((?:@[\w-]+\/)?[\w-]+)(?:\/[^']*)?'/g)])
      .map((match) => match[1] ?? '');
    expect(imported).toContain('@platformatic/kafka');
    expect(imported.filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
  });

  it('gives applications what they import without the relay, its brokers or its database', async () => {
    const application = join(folder.path, 'running');
    const absent = Object.keys(MANIFEST.dependencies).filter((name) => !OF_APPLICATIONS.includes(name));
    expect(absent).toEqual(expect.arrayContaining(['pg', '@platformatic/kafka', 'kafkajs', 'amqplib']));
    // The relay is taken out: what is not there cannot be loaded, in whatever way.
    await keepOnly(await installPacked(await archive(), application, absent), [
      'client',
      'inbox',
      'resilience',
      'core',
    ]);
    const names = JSON.stringify(ENTRIES.map(({ name }) => name));
    const script = `for (const name of ${names}) console.log(name, Object.keys(await import(name)).length > 0)`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: application });
    expect(stdout.trim().split('\n')).toEqual(ENTRIES.map(({ name }) => `${name} true`));
  });

  it('is compiled by applications in TypeScript, the samples of its guides too', { timeout: TIMEOUT_MS }, async () => {
    const application = join(folder.path, 'compiling');
    await installPacked(await archive(), application, []);
    await writeFile(join(application, 'package.json'), '{ "type": "module" }');
    await cp(join(ROOT, 'test/support/package-types/application.ts'), join(application, 'application.ts'));
    const entries = ENTRIES.map(({ name }, place) => `export * as entry${place} from '${name}';`);
    await writeFile(join(application, 'entries.ts'), entries.join('\n'));
    const samples = GUIDES.flatMap(samplesOf).filter(({ language }) => language === 'ts');
    expect(samples.length).toBeGreaterThan(3);
    for (const [place, { text }] of samples.entries()) await writeFile(join(application, `sample-${place}.ts`), text);
    for (const [module, moduleResolution] of RESOLUTIONS) {
      const compilerOptions = { ...STRICT, module, moduleResolution };
      const project = join(application, `tsconfig-${moduleResolution}.json`);
      await writeFile(project, JSON.stringify({ compilerOptions, include: ['*.ts'] }));
      const compiling = run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project]);
      const { stdout } = await compiling.catch((error: unknown) => error as { stdout: string });
      expect(stdout, moduleResolution).toBe('');
    }
  });

  describeWithService('postgres', 'installed globally', () => {
    const database = freshDatabase();

    beforeAll(async () => {
      const options = { cwd: folder.path, timeout: TIMEOUT_MS };
      const args = ['install', '--global', '--prefix', join(folder.path, 'prefix'), '--ignore-scripts', '--no-audit'];
      await run('npm', [...args, '--prefer-offline', await archive()], options);
    }, 2 * TIMEOUT_MS);

    describe.each(NODE_VERSIONS)('with Node %s', (version) => {
      describeWithTool(
        `Node ${version}`,
        () => nodeRuntime(version),
        'from npm',
        (folderOfNode) => {
          const env = { ...process.env, PATH: `${folderOfNode}${delimiter}${process.env.PATH ?? ''}` };

          it('runs each step from an empty database to a published row', async () => {
            const { version: packageVersion } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
              version: string;
            };
            const outbox = await relayOutbox(database.url);
            const config = join(folder.path, `relay-${version}.yaml`);
            const destinations = { out: { type: 'console' } };
            await writeFile(config, JSON.stringify({ ...outbox.config({ destinations }), admin: { port: 0 } }));

            expect((await run(bin(), ['--version'], { env })).stdout.trim()).toBe(packageVersion);
            await run(bin(), ['check', '--config', config], { env });
            const table = ['--table', outbox.table, '--publication', outbox.publication];
            await run(bin(), ['init', '--url', database.url, '--relay-role', outbox.role, ...table], { env });
            const logFile = join(folder.path, `relay-${version}.log`);
            const relay = await spawnService(bin(), ['run', '--config', config], { env, logFile });
            try {
              await outbox.insert(2);
              await outbox.untilEmpty();
              relay.signal('SIGTERM');
              expect(await relay.exited).toBe('exit code 0');
            } finally {
              await relay.killTree();
            }
            const published = (await readFile(logFile, 'utf8')).match(/"key":"key-[12]"/g);
            expect(published).toHaveLength(2);
          });
        },
      );
    });
  });
});
