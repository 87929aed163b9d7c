/** The programs of docs/writer.md that call `outbox_publish`, as they stand there, against a real outbox. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { applyInit } from '../../src/postgres/init.ts';
import { samplesOf } from '../support/doc-samples.ts';
import { connectAdmin, createRole, dropRoles, initOptions, postgresOptions, tableMapping } from '../support/outbox.ts';
import { describeWithService, describeWithTool, freshDatabase } from '../support/service.ts';
import { cached, exists } from '../support/services/cache.ts';
import { javaHome } from '../support/services/java.ts';
import { mavenJars } from '../support/services/maven-jars.ts';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 170_000;

function sampleIn(language: string): string {
  const found = samplesOf('docs/writer.md').filter((sample) => sample.language === language);
  expect(found).toHaveLength(1);
  return found[0]!.text;
}

/** Where psycopg is. @throws when there is no Python with pip, or the package is not to be had */
const psycopg = (): Promise<string> =>
  cached('psycopg-3.2.10', async (folder) => {
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder];
    await run('python3', [...args, 'psycopg[binary]==3.2.10'], { timeout: INSTALL_TIMEOUT_MS });
  });

/** The `java` that compiles what it runs, and the JDBC driver. @throws when one of them is not to be had */
async function jdbc(): Promise<{ java: string; classPath: string }> {
  const home = await javaHome();
  if (!(await exists(join(home, 'bin/javac')))) throw new Error(`${home} has no compiler`);
  return {
    java: join(home, 'bin/java'),
    classPath: await mavenJars('postgresql-42.7.4', ['org.postgresql:postgresql:42.7.4']),
  };
}

describeWithService('postgres', 'programs that write by outbox_publish', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let writer = '';
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbox-relay-writers-'));
    admin = await connectAdmin(database.url);
    writer = await createRole(admin, 'writer');
    const mapping = tableMapping({}, 'public');
    await applyInit(admin, initOptions({ mapping, writerRole: writer, publication: null }), true);
    await admin.query(`CREATE TABLE orders (id bigint PRIMARY KEY, status text);
      GRANT SELECT, UPDATE ON orders TO ${writer}`);
  });
  beforeEach(() => admin.query(`TRUNCATE outbox, orders; INSERT INTO orders VALUES (42, 'placed')`));
  afterAll(async () => {
    await dropRoles(admin, [writer]);
    await admin.end();
    await rm(folder, { recursive: true });
  });

  /** The URL of the writer, as its language takes it. */
  function writerUrl(): URL {
    const { user, password } = postgresOptions(database.url, writer);
    const url = new URL(database.url);
    url.username = user;
    url.password = encodeURIComponent(password ?? '');
    return url;
  }

  async function expectWritten(printed: string): Promise<void> {
    const { rows } = await admin.query('SELECT * FROM outbox');
    const event = { aggregatetype: 'order', aggregateid: '42', type: 'order.paid', id: printed.trim() };
    expect(rows).toEqual([
      expect.objectContaining({ ...event, payload: { amount: 1999 }, headers: { tenant: 't-1' } }),
    ]);
    expect((await admin.query('SELECT status FROM orders')).rows).toEqual([{ status: 'paid' }]);
  }

  describeWithTool('Python with psycopg', psycopg, 'in Python', (packages) => {
    it('write their event with their change', async () => {
      const program = join(folder, 'pay_order.py');
      await writeFile(program, sampleIn('python'));
      const env = { ...process.env, PYTHONPATH: packages, DATABASE_URL: writerUrl().href };
      await expectWritten((await run('python3', [program], { env })).stdout);
    });
  });

  describeWithTool('a JDK with the JDBC driver', jdbc, 'in Java', ({ java, classPath }) => {
    it('write their event with their change', async () => {
      const program = join(folder, 'PayOrder.java');
      await writeFile(program, sampleIn('java'));
      const { host, pathname, username, password } = writerUrl();
      const query = new URLSearchParams({ user: username, password: decodeURIComponent(password) });
      const env = {
        ...process.env,
        JDBC_URL: `jdbc:postgresql://${host}${pathname}?${query.toString().replaceAll('+', '%20')}`,
      };
      await expectWritten((await run(java, ['-cp', classPath, program], { env })).stdout);
    });
  });
});
