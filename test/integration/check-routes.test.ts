/** What `check` says of routes that the table's columns do not allow. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type pg from 'pg';
import { checkAll } from '../../src/app/check.ts';
import { loadConfig } from '../../src/config/index.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

describeWithService('postgres', 'check of routes', () => {
  const database = freshDatabase();
  let admin: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    await admin.query(`CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY, id uuid, aggregatetype text,
      aggregateid text, payload jsonb, amount numeric, who text DEFAULT current_user, tenant text NOT NULL DEFAULT 'shop')`);
  });
  afterAll(() => admin.end());

  const found = async (column: string) => {
    const file = JSON.stringify({
      postgres: { url: database.url },
      table: { columns: { type: null, headers: null, createdAt: null } },
      destinations: { console: { type: 'console' } },
      routes: [
        { destination: 'console', headers: { added: `\${${column}}` }, debezium: { headers: 'json-with-schema' } },
      ],
    });
    const config = loadConfig({ file: 'relay.yaml', env: {}, readFile: () => file });
    const sections = await checkAll(config, AbortSignal.timeout(30_000));
    return sections.flatMap(({ findings }) => findings).filter(({ subject }) => subject === 'routes');
  };

  it('names the column whose schema is not known, and why', async () => {
    const where = 'routes[0].headers.added: the column';
    expect(await found('amount')).toMatchObject([
      { status: 'error', message: expect.stringContaining(`${where} amount is of type numeric`) as string },
    ]);
    expect(await found('who')).toMatchObject([
      {
        status: 'error',
        message: expect.stringContaining(`${where} who has the default CURRENT_USER`) as string,
        remedy: expect.stringContaining('`json`') as string,
      },
    ]);
    expect(await found('tenant')).toEqual([]);
  });
});
