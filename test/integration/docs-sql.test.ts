/** The SQL that the documentation shows, on a real server: each page's in its order, in a database of its own. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { documentationPages } from '../../scripts/docs/pages.ts';
import { outboxRelay } from '../support/cli.ts';
import { samplesOf, type Sample } from '../support/doc-samples.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithLauncher } from '../support/service.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';

const PAGES = ['README.md', ...documentationPages()]
  .map((page) => [page, samplesOf(page).filter(({ language }) => language === 'sql')] as const)
  .filter(([, samples]) => samples.length > 0);

/** What the pages take for granted. */
const SHOP = `CREATE TABLE orders (id bigint PRIMARY KEY, status text); INSERT INTO orders VALUES (42, 'placed')`;
const ROLES = ['shop', 'outbox_relay'];

/** The statements of a sample, each with the line it ends on; what is in dollar quotes is not taken apart. */
function statementsOf(text: string): readonly string[] {
  const statements: string[] = [];
  let statement = '';
  for (const line of text.split('\n')) {
    statement += `${line}\n`;
    const quotes = statement.split('$$').length - 1;
    if (quotes % 2 === 0 && /;\s*(--.*)?$/.test(line)) {
      statements.push(statement);
      statement = '';
    }
  }
  return statement.trim() === '' ? statements : [...statements, statement];
}

describeWithLauncher('postgres', 'SQL that is shown', () => {
  let server: StartedPostgres;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.dispose());

  /** A database as a page finds it: with the outbox and the roles, unless it makes them itself. */
  async function database(samples: readonly Sample[]): Promise<pg.Client> {
    await server.query('DROP DATABASE IF EXISTS page WITH (FORCE)');
    const roles = await server.query<{ name: string }>(
      `SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> current_user`,
    );
    for (const { name } of roles) await server.query(`DROP ROLE ${name}`);
    await server.query('CREATE DATABASE page');
    const client = await connect();
    const shown = samples.map(({ text }) => text).join('\n');
    for (const role of ROLES.filter((name) => !shown.includes(`CREATE ROLE ${name} `))) {
      await client.query(`CREATE ROLE ${role} LOGIN`);
    }
    await client.query(SHOP);
    if (!shown.includes('CREATE TABLE outbox (')) {
      const { code, stderr } = await outboxRelay('init', '--url', pageUrl());
      expect([code, stderr]).toEqual([0, '']);
    }
    return client;
  }

  const pageUrl = (): string => server.url.replace(/[^/]*$/, 'page');
  const connect = (): Promise<pg.Client> => connectAdmin(pageUrl());

  async function play(client: pg.Client, { place, text }: Sample): Promise<void> {
    for (const statement of statementsOf(text)) {
      await client.query(statement).catch((error: unknown) => {
        throw new Error(`${place}: ${statement}`, { cause: error });
      });
    }
  }

  it.each(PAGES)('of %s runs', async (_, samples) => {
    const client = await database(samples);
    try {
      for (const sample of samples) await play(client, sample);
    } finally {
      await client.end();
    }
  });

  /** The samples of a page, and a database on which they can be played. */
  async function open(page: string): Promise<{ client: pg.Client; samples: readonly Sample[] }> {
    const samples = PAGES.find(([name]) => name === page)?.[1] ?? [];
    return { client: await database(samples), samples };
  }

  it('from Debezium: takes away what was committed before the line, and nothing else', async () => {
    const { client, samples } = await open('docs/migrate-from-debezium.md');
    const writer = await connect();
    const insert = (by: pg.Client, key: string): Promise<unknown> =>
      by.query(
        `INSERT INTO outbox (id, aggregatetype, aggregateid, type) VALUES (gen_random_uuid(), 'order', '${key}', 'x')`,
      );
    const at = (text: string): number => samples.findIndex((sample) => sample.text.includes(text));
    const [line, end] = [at('ISOLATION LEVEL'), at('DELETE FROM')];
    expect([line > 0, end > line]).toEqual([true, true]);
    try {
      for (const sample of samples.slice(0, line)) await play(client, sample);
      await insert(client, 'before');
      await writer.query('BEGIN');
      await insert(writer, 'open at the line');
      for (const sample of samples.slice(line, end)) await play(client, sample);
      await writer.query('COMMIT');
      await insert(client, 'behind');
      for (const sample of samples.slice(end)) await play(client, sample);
      const { rows } = await client.query<{ key: string }>('SELECT aggregateid AS key FROM outbox ORDER BY position');
      expect(rows.map(({ key }) => key)).toEqual(['open at the line', 'behind']);
    } finally {
      await Promise.all([client.end(), writer.end()]);
    }
  });

  it('from polling: takes away what is marked, and nothing else', async () => {
    const { client, samples } = await open('docs/migrate-from-polling.md');
    const [table, ...rest] = samples;
    try {
      await play(client, table!);
      await client.query(
        `INSERT INTO event_outbox (topic, entity_id, published_at) VALUES ('t', 'sent', now()), ('t', 'waits', NULL)`,
      );
      for (const sample of rest) await play(client, sample);
      const { rows } = await client.query<{ key: string }>('SELECT entity_id AS key FROM event_outbox');
      expect(rows).toEqual([{ key: 'waits' }]);
    } finally {
      await client.end();
    }
  });
});
