/** `outbox-relay migrate debezium --url`: applications that delete what they insert are found in the database. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { rowTraffic } from '../../src/postgres/row-traffic.ts';
import { outboxRelay } from '../support/cli.ts';
import { propertiesText } from '../support/debezium-server.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import { until } from '../support/services/until.ts';

const COLUMNS =
  'id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text, payload jsonb';

describeWithService('postgres', 'migrate debezium --url', () => {
  const database = freshDatabase();

  it('stops at a table whose rows are deleted in the transaction that inserts them, with the way out', async () => {
    const admin = await connectAdmin(database.url);
    onTestFinished(() => admin.end());
    await admin.query(`CREATE TABLE kept (${COLUMNS}); CREATE TABLE removed (${COLUMNS})`);
    const application = await connectAdmin(database.url);
    await application.query(`INSERT INTO kept SELECT FROM generate_series(1, 20)`);
    await application.query(
      `BEGIN; INSERT INTO removed SELECT FROM generate_series(1, 20); DELETE FROM removed; COMMIT`,
    );
    // a session tells its figures at its end at the latest
    await application.end();
    const told = async (): Promise<boolean> => {
      const traffic = await Promise.all(
        ['kept', 'removed'].map((name) => rowTraffic(admin, { schema: 'public', name })),
      );
      return traffic.every(({ inserted }) => inserted === 20);
    };
    await until(told, { what: 'the statistics' });
    expect(await rowTraffic(admin, { schema: 'public', name: 'removed' })).toEqual({
      inserted: 20,
      deleted: 20,
      empty: true,
    });

    const kept = await migrate('kept');
    expect([kept.code, kept.report.ok]).toEqual([0, true]);
    const removed = await migrate('removed');
    expect([removed.code, removed.report.config]).toEqual([3, null]);
    expect(removed.report.findings.filter(({ status }) => status === 'error')).toMatchObject([
      { subject: 'table public.removed', remedy: expect.stringContaining('remove-after-insert=false') as unknown },
    ]);
    const missing = await migrate('missing');
    expect([missing.code, missing.report]).toMatchObject([3, { ok: false, error: { code: 'postgres_schema' } }]);
  });

  interface Report {
    readonly ok: boolean;
    readonly config: object | null;
    readonly findings: readonly { readonly status: string }[];
  }

  async function migrate(table: string): Promise<{ code: number | null; report: Report }> {
    const folder = await scratchFolder('migrate');
    onTestFinished(() => removeScratchFolder(folder));
    const file = join(folder, 'application.properties');
    const properties = {
      'debezium.sink.type': 'kafka',
      'debezium.source.table.include.list': `public.${table}`,
      'debezium.format.key': 'simplestring',
      'debezium.format.value': 'simplestring',
      'debezium.format.header.schemas.enable': 'false',
      'debezium.transforms': 'outbox',
      'debezium.transforms.outbox.type': 'io.debezium.transforms.outbox.EventRouter',
    };
    await writeFile(file, propertiesText(properties));
    const all = ['migrate', 'debezium', '--properties', file, '--url', database.url, '--json'];
    const { code, stdout } = await outboxRelay(...all);
    return { code, report: JSON.parse(stdout) as Report };
  }
});
