import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { helmProgram, render } from '../support/deployment/helm.ts';
import { podOf } from '../support/deployment/manifest.ts';
import { containerOptions } from '../support/deployment/pod.ts';
import { connectAdmin, createRole, dropRoles, postgresOptions } from '../support/outbox.ts';
import { until } from '../support/services/until.ts';
import { requireNamespaces, startContainer } from '../support/deployment/container.ts';
import { parseDockerfile } from '../support/deployment/dockerfile.ts';
import { buildImageTree, type ImageTree, treeSize } from '../support/deployment/image-tree.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { describeWithService, describeWithTool, freshDatabase, uniqueName } from '../support/service.ts';
import { freePort, freePorts } from '../support/services/ports.ts';
import { nodeRuntime } from '../support/services/node-runtime.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** On a machine that does much else. */
const BUILD_TIMEOUT_MS = 600_000;
const CONSOLE = { out: { type: 'console' } };
const CONFIG_FILE = '/etc/outbox-relay/config.yaml';
/** What gcr.io/distroless/cc-debian12 holds beside the libraries that are copied here: certificates, time zones, OpenSSL. */
const REST_OF_BASE_BYTES = 25e6;

async function obtain(): Promise<void> {
  await requireNamespaces();
  await nodeRuntime('24');
}

describe('the Dockerfile', () => {
  it('copies nothing that .dockerignore keeps from it', async () => {
    const stages = parseDockerfile(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
    const copied = stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
      .flatMap(({ text }) => text.split(/\s+/).slice(0, -1));
    const [all, ...let_through] = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).trim().split('\n');
    expect(all).toBe('*');
    expect([...new Set(copied)].map((path) => `!${path}`).sort()).toEqual(let_through.sort());
  });
});

describeWithTool('Node 24 and namespaces', obtain, 'the image', () => {
  const folder = { path: '' };
  let image: ImageTree;

  beforeAll(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'outbox-relay-image-'));
    image = await buildImageTree(folder.path);
  }, BUILD_TIMEOUT_MS);
  afterAll(() => rm(folder.path, { recursive: true, force: true }));

  it('holds no more than what runs, in less than 200 MB', async () => {
    expect((await readdir(join(image.root, 'app'))).sort()).toEqual(
      ['LICENSE', 'dist', 'node_modules', 'package.json', 'sql'].sort(),
    );
    const packages = new Set(await readdir(join(image.root, 'app/node_modules')));
    expect(['pg', 'amqplib', 'zod'].filter((name) => !packages.has(name))).toEqual([]);
    expect(['typescript', 'vitest', 'tsx', 'npm'].filter((name) => packages.has(name))).toEqual([]);
    expect((await lstat(join(image.root, 'usr/local/bin/outbox-relay'))).isSymbolicLink()).toBe(true);

    const bytes = await treeSize(image.root);
    console.log(`the image's files without its base image: ${Math.round(bytes / 1e6)} MB`);
    expect(bytes + REST_OF_BASE_BYTES).toBeLessThan(200e6);
  });

  it('runs as any user on a file system that cannot be written to', async () => {
    for (const uid of [image.config.user.uid, 12_345]) {
      const container = await startContainer(image, { args: ['--version'], uid });
      expect(await container.exited).toBe('exit code 0');
      expect(await container.output()).toMatch(/^\d+\.\d+\.\d+$/);
    }
    expect(image.config.user.uid).toBeGreaterThan(0);
  });

  describeWithService('postgres', 'as process 1 of a container', () => {
    const database = freshDatabase();

    it('publishes, answers its health check, and drains on SIGTERM without leaving a process behind', async () => {
      const outbox = await relayOutbox(database.url);
      const config = { ...outbox.config({ destinations: CONSOLE }), admin: { port: await freePort() } };
      const container = await startContainer(image, { files: { [CONFIG_FILE]: JSON.stringify(config) } });
      await outbox.insert(3);
      await outbox.untilEmpty();

      if (process.getuid?.() === 0) expect(await container.uid()).toBe(image.config.user.uid);
      expect(await container.exec(image.config.healthcheck)).toBe(0);
      expect(await container.exec([...image.config.entrypoint, 'status', '--ready'])).toBe(0);
      expect(await container.zombies()).toBe(0);
      await container.signal('SIGTERM');
      expect(await container.exited).toBe('exit code 0');
    });

    it('fails its health check when no relay answers', async () => {
      const config = (await relayOutbox(database.url)).config({ destinations: CONSOLE });
      const [here, elsewhere] = await freePorts(2);
      const container = await startContainer(image, {
        files: {
          [CONFIG_FILE]: JSON.stringify({ ...config, admin: { port: here } }),
          '/etc/other/config.yaml': JSON.stringify({ ...config, admin: { port: elsewhere } }),
        },
      });
      await container.untilPrinted(/outbox-relay starts/);
      const health = [...image.config.healthcheck, '--config', '/etc/other/config.yaml'];
      expect(await container.exec(health)).toBe(1);
    });
  });

  describeWithService('postgres', 'in the pods of the chart', () => {
    describeWithTool('helm', helmProgram, 'with its real configuration', () => {
      const database = freshDatabase();

      it('prepares the database by its job, and publishes by its relay, each with the login that is meant for it', async () => {
        const admin = await connectAdmin(database.url);
        const role = await createRole(admin, 'relay', 'REPLICATION');
        onTestFinished(async () => {
          await dropRoles(admin, [role]);
          await admin.end();
        });
        const login = postgresOptions(database.url, role);
        const url = new URL(database.url);
        url.username = role;
        url.password = '';
        const table = `${uniqueName('schema')}.outbox`;
        const port = await freePort();
        const publication = uniqueName('publication');
        const manifests = await render({
          config: {
            postgres: { url: '${DATABASE_URL}', password: '${file:/run/secrets/outbox-relay/password}' },
            table: { name: table },
            capture: { publication, slotPrefix: uniqueName('slot') },
            destinations: CONSOLE,
            admin: { port },
          },
          credentials: { existingSecret: 'relay', adminTokenKey: 'admin-token' },
          init: { enabled: true, existingSecret: 'owner', relayRole: role },
        });
        const secrets = {
          relay: { DATABASE_URL: url.href, password: login.password ?? '', 'admin-token': 'a-token-of-sixteen' },
          owner: { url: database.url },
        };

        const { spec: job } = podOf(manifests, 'Job');
        const init = await startContainer(image, containerOptions(job, job.containers[0]!, manifests, secrets));
        expect(await init.exited).toBe('exit code 0');

        const { spec: pod } = podOf(manifests);
        const [relay] = pod.containers;
        const container = await startContainer(image, containerOptions(pod, relay!, manifests, secrets));
        const answer = async (path = ''): Promise<number> =>
          (await fetch(`http://127.0.0.1:${relay!.ports![0]!.containerPort}${path}`)).status;
        await until(async () => (await answer(relay?.readinessProbe?.httpGet.path)) === 200, { what: 'readiness' });
        expect(await answer(relay?.livenessProbe?.httpGet.path)).toBe(200);
        expect(await answer('/metrics')).toBe(401);
        expect(await container.exec([...image.config.entrypoint, 'status', '--ready'])).toBe(0);

        await admin.query(
          `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'a', '{}')`,
        );
        await until(async () => (await admin.query(`SELECT FROM ${table}`)).rowCount === 0, {
          what: 'an empty outbox',
        });
        await container.signal('SIGTERM');
        expect(await container.exited).toBe('exit code 0');
      });
    });
  });
});
