import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/core/finding.ts';
import { type CheckContext, checkPostgres } from '../../src/postgres/check/index.ts';
import { closeConnection, connectSql } from '../../src/postgres/connection.ts';
import { applyInit, type InitOptions } from '../../src/postgres/init.ts';
import {
  connectAdmin,
  createOutbox,
  createRole,
  dropRoles,
  initOptions,
  postgresOptions,
  tableMapping,
} from '../support/outbox.ts';
import { FAULTS, outboxName as table, PARTITIONED, USUAL_COLUMNS } from '../support/outbox-faults.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';

describeWithService('postgres', 'check', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let version: number;
  let relayRole: string;
  let relay: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    relayRole = await createRole(admin, 'relay', 'REPLICATION');
    relay = await connectSql(postgresOptions(database.url, relayRole), 'test');
    const { rows } = await admin.query<{ n: number }>(`SELECT current_setting('server_version_num')::int AS n`);
    version = rows[0]!.n;
  });
  afterAll(async () => {
    await closeConnection(relay);
    await dropRoles(admin, [relayRole]);
    await admin.end();
  });

  const contextOf = ({ mapping, publication }: InitOptions): CheckContext => ({
    mapping,
    publication: publication!,
    captureMode: 'replication',
    walBudgetBytes: 2 ** 30,
    connection: null,
  });
  const faultsFound = async (context: CheckContext): Promise<Finding[]> =>
    (await checkPostgres(relay, context)).filter((finding) => finding.status !== 'ok');

  test('a fresh outbox is in order, and everything is told that was examined', async () => {
    const options = await createOutbox(admin, { relayRole });
    const context = { ...contextOf(options), connection: postgresOptions(database.url, relayRole) };
    const findings = await checkPostgres(relay, context);
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    const subjects = findings.map(({ subject }) => subject.replace('postgres.', ''));
    const newer = version >= 180000 ? ['idle_replication_slot_timeout'] : [];
    expect(subjects).toEqual([
      ...['version', 'primary', 'direct_connection', 'table', 'order_column', 'id_column', 'table_whole'],
      ...['row_security', 'delete', 'schema_version', 'privileges', 'deleters'],
      ...['wal_level', 'replication_slots', 'walsenders', 'max_slot_wal_keep_size', ...newer],
      ...['replication_role', 'replication_connection', 'publication'],
    ]);
  });

  describe('finds, and its remedy mends,', () => {
    test.for(FAULTS)('$title', async (fault, { skip }) => {
      skip(fault.since !== undefined && version < fault.since, 'this version has nothing of the kind');
      const options = initOptions({ relayRole });
      if (fault.table !== undefined) {
        await admin.query(`CREATE SCHEMA ${options.mapping.schema}`);
        await admin.query(fault.table(table(options)));
      }
      await applyInit(admin, options, true);
      await admin.query(fault.spoil(options, relayRole));

      const found = await faultsFound(contextOf(options));
      const expected = [fault.subject, ...(fault.entails ?? [])].map((subject) => `postgres.${subject}`);
      expect(found.map(({ subject }) => subject)).toEqual(expected);
      expect(found[0]?.status).toBe(fault.status);

      for (const { remedy } of found) await admin.query(remedy!);
      expect(await faultsFound(contextOf(options))).toEqual([]);
      await admin.query(`ALTER ROLE ${relayRole} NOBYPASSRLS`);
    });
  });

  test('an unlogged table is refused, and the remedy makes it a logged one', async () => {
    const options = initOptions({ relayRole });
    await admin.query(`CREATE SCHEMA ${options.mapping.schema}`);
    await admin.query(
      `CREATE UNLOGGED TABLE ${table(options)} (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${USUAL_COLUMNS})`,
    );
    await expect(applyInit(admin, options, true)).rejects.toMatchObject({ code: 'postgres_schema' });
    const found = await faultsFound(contextOf(options));
    expect(found).toMatchObject([{ status: 'error', subject: 'postgres.table' }]);
    await admin.query(found[0]!.remedy!);
    await applyInit(admin, options, true);
    expect(await faultsFound(contextOf(options))).toEqual([]);
  });

  test('a partition in place of the whole table', async () => {
    const options = initOptions({ relayRole });
    await admin.query(`CREATE SCHEMA ${options.mapping.schema}`);
    await admin.query(PARTITIONED(table(options)));
    await applyInit(admin, options, true);
    const mapping = { ...options.mapping, name: 'outbox_a' };
    const found = await faultsFound(contextOf({ ...options, mapping }));
    expect(found).toContainEqual(
      expect.objectContaining({ subject: 'postgres.table_root', remedy: expect.stringContaining('outbox') as string }),
    );
  });

  test('a missing column ends the examination with what was perhaps meant', async () => {
    const options = await createOutbox(admin, { relayRole });
    const columns = { ...options.mapping.columns, payload: 'paylaod' };
    const found = await faultsFound({ ...contextOf(options), mapping: { ...options.mapping, columns } });
    expect(found).toMatchObject([{ status: 'error', subject: 'postgres.table' }]);
    expect(found[0]?.message).toContain('did you mean payload?');
  });

  test('columns that nobody reads may be hidden', async ({ skip }) => {
    skip(version < 150000, 'no column lists before 15');
    const options = await createOutbox(admin, { relayRole });
    await admin.query(
      `ALTER PUBLICATION ${options.publication!} SET TABLE ${table(options)} (position, id, aggregateid, payload)`,
    );
    const columns = { ...options.mapping.columns, aggregatetype: null, type: null, headers: null, createdAt: null };
    expect(await faultsFound({ ...contextOf(options), mapping: { ...options.mapping, columns } })).toEqual([]);
  });

  test('a publication of all tables covers it too', async () => {
    const options = await createOutbox(admin, { relayRole });
    const publication = uniqueName('everything');
    await admin.query(`CREATE PUBLICATION ${publication} FOR ALL TABLES WITH (publish = 'insert')`);
    expect(await faultsFound({ ...contextOf(options), publication })).toEqual([]);
    await admin.query(`DROP PUBLICATION ${publication}`);
  });

  test('what hinders replication is a warning in mode auto, and nothing in mode polling', async () => {
    const options = await createOutbox(admin, { relayRole });
    await admin.query(`DROP PUBLICATION ${options.publication!}`);
    const auto = await faultsFound({ ...contextOf(options), captureMode: 'auto' });
    expect(auto).toMatchObject([{ status: 'warning', subject: 'postgres.publication_exists' }]);
    expect(await faultsFound({ ...contextOf(options), captureMode: 'polling' })).toEqual([]);
  });

  test('a table that does not exist', async () => {
    const found = await faultsFound(contextOf(initOptions({ mapping: tableMapping() })));
    expect(found).toMatchObject([{ status: 'error', subject: 'postgres.table' }]);
    expect(found[0]?.remedy).toContain('outbox-relay init');
  });
});
