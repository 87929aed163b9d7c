import { expect, test } from 'vitest';
import { type CheckContext, checkPostgres } from '../../src/postgres/check/index.ts';
import { closeConnection, connectReplication, connectSql } from '../../src/postgres/connection.ts';
import { connectAdmin, createOutbox, postgresOptions } from '../support/outbox.ts';
import { describeWithLauncher } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { startPostgres } from '../support/services/postgres.ts';

describeWithLauncher('postgres', 'check of the server', () => {
  test('settings that keep replication away are named with what mends them', async () => {
    await using server = await startPostgres({
      version: postgresMajor(),
      settings: {
        wal_level: 'replica',
        max_replication_slots: '1',
        max_wal_senders: '1',
        synchronous_standby_names: '*',
        synchronous_commit: 'local',
        max_slot_wal_keep_size: '64MB',
      },
    });
    const admin = await connectAdmin(server.url);
    const { mapping, publication } = await createOutbox(admin);
    await admin.query(`SELECT pg_create_physical_replication_slot('taken')`);
    const options = postgresOptions(server.url);
    const walsender = await connectReplication(options, 'other');
    const client = await connectSql(options, 'test');
    const needs = {
      mapping,
      publication: publication!,
      captureMode: 'replication',
      walBudgetBytes: 64 * 2 ** 20,
    } as const;
    const faults = async (context: CheckContext) =>
      (await checkPostgres(client, context)).filter(({ status }) => status !== 'ok');
    const found = await faults({ ...needs, connection: null });
    expect(found.map(({ subject }) => subject)).toEqual([
      'postgres.wal_level',
      'postgres.replication_slots',
      'postgres.walsenders',
      'postgres.synchronous_standby_names',
      'postgres.max_slot_wal_keep_size',
    ]);
    const less = await faults({ ...needs, connection: null, walBudgetBytes: 63 * 2 ** 20 });
    expect(less.map(({ subject }) => subject)).not.toContain('postgres.max_slot_wal_keep_size');
    for (const { remedy } of found) await admin.query(remedy!.split(';')[0]!);
    await Promise.all([closeConnection(walsender), closeConnection(client), admin.end()]);
    await server.restart();

    const again = await connectSql(options, 'test');
    expect(
      (await checkPostgres(again, { ...needs, connection: options })).filter(({ status }) => status !== 'ok'),
    ).toEqual([]);
    await closeConnection(again);
  });

  test('a role that may not replicate, and one that pg_hba.conf keeps from it', async () => {
    await using server = await startPostgres({
      version: postgresMajor(),
      hba: ['local all all trust', 'host all postgres 127.0.0.1/32 trust', 'host all sql_only 127.0.0.1/32 trust'],
    });
    const admin = await connectAdmin(server.url);
    await admin.query('CREATE ROLE sql_only LOGIN');
    const { mapping, publication } = await createOutbox(admin, { relayRole: 'sql_only' });
    const options = { ...postgresOptions(server.url), user: 'sql_only' };
    const client = await connectSql(options, 'test');
    const needs = { mapping, publication: publication!, captureMode: 'auto', walBudgetBytes: 2 ** 30 } as const;
    const context = { ...needs, connection: options };
    const found = (await checkPostgres(client, context)).filter(({ status }) => status !== 'ok');
    expect(found).toMatchObject([{ status: 'warning', subject: 'postgres.replication_role' }]);

    // As on Amazon RDS, where nobody has the attribute itself: what remains is that pg_hba.conf does not let it in.
    await admin.query('CREATE ROLE rds_replication; GRANT rds_replication TO sql_only');
    const still = (await checkPostgres(client, context)).filter(({ status }) => status !== 'ok');
    expect(still).toMatchObject([{ status: 'warning', subject: 'postgres.replication_connection' }]);
    await Promise.all([closeConnection(client), admin.end()]);
  });
});
