import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkPostgres } from '../../src/postgres/check/index.ts';
import { closeConnection, connectSql } from '../../src/postgres/connection.ts';
import { companionTables, quoteTable, type TableName } from '../../src/postgres/identifier.ts';
import type { InitOptions } from '../../src/postgres/init.ts';
import { grantStatements, type Privilege, relayPrivileges } from '../../src/postgres/privileges.ts';
import { connectAdmin, createOutbox, createRole, dropRoles, postgresOptions, tableMapping } from '../support/outbox.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';

/** What the relay does with each privilege, by the short name of the table. */
const OPERATIONS: Readonly<Record<string, (tables: Readonly<Record<string, string>>) => string>> = {
  'USAGE schema': ({ outbox }) => `SELECT position FROM ${outbox} LIMIT 1`,
  'SELECT outbox': ({ outbox }) =>
    `BEGIN; LOCK TABLE ${outbox} IN ACCESS SHARE MODE; COPY (SELECT position, payload FROM ${outbox} ORDER BY position) TO STDOUT; COMMIT`,
  'DELETE outbox': ({ outbox }) => `DELETE FROM ${outbox} WHERE (position, id) IN ((-1, gen_random_uuid()))`,
  'SELECT parked': ({ parked }) => `SELECT * FROM ${parked}`,
  'INSERT parked': ({ parked }) =>
    `INSERT INTO ${parked} (position, id, destination, code, reason) VALUES (1, '1', 'd', 'c', 'r') ON CONFLICT DO NOTHING`,
  'UPDATE parked': ({ parked }) => `UPDATE ${parked} SET attempts = attempts + 1`,
  'DELETE parked': ({ parked }) => `DELETE FROM ${parked}`,
  'SELECT lease': ({ lease }) => `SELECT * FROM ${lease}`,
  'INSERT lease': ({ lease }) =>
    `INSERT INTO ${lease} (shard, epoch, holder) VALUES (0, 1, 'h') ON CONFLICT DO NOTHING`,
  'UPDATE lease': ({ lease }) => `UPDATE ${lease} SET renewed_at = clock_timestamp()`,
  'SELECT published': ({ published }) => `SELECT * FROM ${published}`,
  'INSERT published': ({ published }) =>
    `INSERT INTO ${published} (position, id, destination, address, dead_letter) VALUES (1, '1', 'd', 'a', false)`,
  'DELETE published': ({ published }) => `DELETE FROM ${published}`,
  'SELECT schemaVersion': ({ schemaVersion }) => `SELECT version FROM ${schemaVersion}`,
};

describeWithService('postgres', 'privileges', () => {
  const database = freshDatabase();
  let admin: pg.Client;
  let relayRole: string;
  let writerRole: string;
  let relay: pg.Client;
  let writer: pg.Client;
  let options: InitOptions;
  const mapping = tableMapping();
  const companions = companionTables(mapping);
  const names: Readonly<Record<string, TableName>> = { outbox: mapping, ...companions };
  const tables = Object.fromEntries(Object.entries(names).map(([short, name]) => [short, quoteTable(name)]));

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    relayRole = await createRole(admin, 'relay', 'REPLICATION');
    writerRole = await createRole(admin, 'writer');
    options = await createOutbox(admin, { mapping, relayRole, writerRole });
    relay = await connectSql(postgresOptions(database.url, relayRole), 'test');
    writer = await connectSql(postgresOptions(database.url, writerRole), 'test');
  });
  afterAll(async () => {
    await Promise.all([closeConnection(relay), closeConnection(writer)]);
    await dropRoles(admin, [relayRole, writerRole]);
    await admin.end();
  });

  const check = async (keepsPublished = true) => {
    const context = {
      mapping,
      publication: options.publication!,
      captureMode: 'replication',
      walBudgetBytes: 2 ** 30,
      connection: null,
      keepsPublished,
    } as const;
    return (await checkPostgres(relay, context)).filter((finding) => finding.status !== 'ok');
  };
  const nameOf = ({ kind, privilege, on }: Privilege): string =>
    `${privilege} ${kind === 'schema' ? 'schema' : Object.keys(names).find((short) => names[short]!.name === on.name)!}`;

  test('the relay role does all that the relay does', async () => {
    expect(await check()).toEqual([]);
    for (const operation of Object.values(OPERATIONS)) await relay.query(operation(tables));
  });

  test('each privilege is told with an operation that needs it', () => {
    expect(relayPrivileges(mapping).map(nameOf).sort()).toEqual(Object.keys(OPERATIONS).sort());
  });

  describe('without', () => {
    test.each(relayPrivileges(mapping).map((privilege) => [nameOf(privilege), privilege] as const))(
      '%s the operation fails, check names it, and its remedy mends it',
      async (name, privilege) => {
        const [grant = ''] = grantStatements([privilege], relayRole);
        await admin.query(grant.replace(/^GRANT/, 'REVOKE').replace(/ TO (\S+);$/, ' FROM $1'));
        const operation = OPERATIONS[name]!(tables);
        await expect(relay.query(operation)).rejects.toMatchObject({ code: '42501' });
        await relay.query('ROLLBACK');

        const findings = await check();
        expect(findings).toHaveLength(1);
        expect(findings[0]).toMatchObject({ status: 'error', subject: 'postgres.privileges', remedy: grant });

        await admin.query(findings[0]!.remedy!);
        await relay.query(operation);
        expect(await check()).toEqual([]);
      },
    );
  });

  test('what only published.retain needs is not missed without it', async () => {
    await admin.query(`REVOKE ALL ON ${tables.published} FROM ${relayRole}`);
    expect(await check()).toHaveLength(3);
    expect(await check(false)).toEqual([]);
    await admin.query(`GRANT SELECT, INSERT, DELETE ON ${tables.published} TO ${relayRole}`);
  });

  test('the relay role may neither write nor change the outbox', async () => {
    for (const sql of [
      `INSERT INTO ${tables.outbox} (aggregatetype, aggregateid, type) VALUES ('t', 'k', 'e')`,
      `UPDATE ${tables.outbox} SET type = 'x'`,
      `TRUNCATE ${tables.outbox}`,
      `ALTER TABLE ${tables.outbox} ADD COLUMN x int`,
      `DELETE FROM ${tables.schemaVersion}`,
      `CREATE TABLE ${mapping.schema}.x ()`,
    ])
      await expect(relay.query(sql), sql).rejects.toMatchObject({ code: '42501' });
  });

  test('the writer role may insert, and nothing else', async () => {
    const row = `(id, aggregatetype, aggregateid, type, payload, headers) VALUES (gen_random_uuid(), 't', 'k', 'e', '{}', '{}')`;
    expect((await writer.query(`INSERT INTO ${tables.outbox} ${row}`)).rowCount).toBe(1);
    for (const sql of [
      `INSERT INTO ${tables.outbox} (position, aggregatetype, aggregateid, type) OVERRIDING SYSTEM VALUE VALUES (7, 't', 'k', 'e')`,
      `SELECT * FROM ${tables.outbox}`,
      `UPDATE ${tables.outbox} SET type = 'x'`,
      `DELETE FROM ${tables.outbox}`,
      `TRUNCATE ${tables.outbox}`,
      `SELECT * FROM ${tables.parked}`,
      `SELECT * FROM ${tables.lease}`,
      `SELECT * FROM ${tables.schemaVersion}`,
      `SELECT nextval(pg_get_serial_sequence('${tables.outbox}', 'position'))`,
    ])
      await expect(writer.query(sql), sql).rejects.toMatchObject({ code: '42501' });
  });

  test('the writer of a table numbered by a plain sequence can use it', async () => {
    const serial = tableMapping();
    await admin.query(`CREATE SCHEMA ${serial.schema}; CREATE TABLE ${quoteTable(serial)} (position bigserial PRIMARY KEY,
      id uuid NOT NULL, aggregatetype text, aggregateid text, type text, payload json, headers jsonb, created_at timestamptz)`);
    await createOutbox(admin, { mapping: serial, writerRole });
    const insert = `INSERT INTO ${quoteTable(serial)} (id, aggregateid) VALUES (gen_random_uuid(), 'k')`;
    expect((await writer.query(insert)).rowCount).toBe(1);
  });

  test('check tells who else may delete', async () => {
    await admin.query(
      `GRANT DELETE ON ${tables.outbox} TO ${writerRole}; GRANT TRUNCATE ON ${tables.outbox} TO PUBLIC`,
    );
    const findings = await check();
    expect(findings.map(({ status, subject }) => [status, subject])).toEqual([
      ['warning', 'postgres.deleters'],
      ['warning', 'postgres.deleters'],
    ]);
    for (const { remedy } of findings) await admin.query(remedy!);
    expect(await check()).toEqual([]);
  });
});
