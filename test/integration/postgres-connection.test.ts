import { createServer, type AddressInfo } from 'node:net';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postgresOfTerm } from '../../src/app/postgres-of-term.ts';
import { RelayError } from '../../src/core/errors.ts';
import { checkPostgres } from '../../src/postgres/check/index.ts';
import {
  closeConnection,
  connectionLost,
  connectReplication,
  connectSql,
  type PostgresOptions,
  sessionPlace,
} from '../../src/postgres/connection.ts';
import { postgresError } from '../../src/postgres/error.ts';
import { KnownPrimaries } from '../../src/postgres/primary.ts';
import { SqlSession } from '../../src/postgres/session.ts';
import { connectAdmin, createOutbox, postgresOptions } from '../support/outbox.ts';
import { describeWithLauncher } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { type StartedPostgres, type StartedStandby, startPostgres } from '../support/services/postgres.ts';
import { until } from '../support/services/until.ts';
import { makeCertificates } from '../support/services/tls.ts';
import { meddlingProxy } from '../support/meddling-proxy.ts';

describeWithLauncher('postgres', 'connections', () => {
  let primary: StartedPostgres;
  let standby: StartedStandby;
  let options: PostgresOptions;

  beforeAll(async () => {
    primary = await startPostgres({
      version: postgresMajor(),
      hba: [
        'local all all trust',
        'host replication all 127.0.0.1/32 trust',
        'host all with_password 127.0.0.1/32 scram-sha-256',
        'host all all 127.0.0.1/32 trust',
      ],
    });
    standby = await primary.startStandby();
    options = postgresOptions(primary.url);
    await primary.query(`CREATE ROLE with_password LOGIN PASSWORD 'right'`);
  });
  afterAll(async () => {
    await standby.dispose();
    await primary.dispose();
  });

  const at = (...ports: number[]): PostgresOptions => ({
    ...options,
    connectTimeoutMs: 2000,
    hosts: ports.map((port) => ({ host: '127.0.0.1', port })),
  });

  test('takes the first host that is a primary', async () => {
    const client = await connectSql(at(1, standby.port, primary.port), 'test');
    const { rows } = await client.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
    expect(rows).toEqual([{ recovering: false }]);
    await closeConnection(client);
  });

  test.each([
    ['a standby', () => at(standby.port), 'postgres_not_primary'],
    ['a standby among the dead', () => at(1, standby.port), 'postgres_not_primary'],
    ['nobody there', () => at(1), 'postgres_unreachable'],
    ['no such host', () => ({ ...at(1), hosts: [{ host: 'no.such.host.invalid', port: 1 }] }), 'postgres_unreachable'],
    ['no such role', () => ({ ...at(primary.port), user: 'nobody at all' }), 'postgres_authentication'],
    [
      'a wrong password',
      () => ({ ...at(primary.port), user: 'with_password', password: 'wrong' }),
      'postgres_authentication',
    ],
    ['a password that is missing', () => ({ ...at(primary.port), user: 'with_password' }), 'postgres_authentication'],
    [
      'a wrong password beside the dead',
      () => ({ ...at(1, primary.port), user: 'with_password', password: 'wrong' }),
      'postgres_authentication',
    ],
    ['no such database', () => ({ ...at(primary.port), database: 'nowhere' }), 'postgres_schema'],
    ['no TLS', () => ({ ...at(primary.port), tls: { rejectUnauthorized: true, checkHostname: true } }), 'postgres_tls'],
  ] as const)('%s', async (_, given, code) => {
    await expect(connectSql(given(), 'test')).rejects.toMatchObject({ name: 'RelayError', code });
    await expect(connectReplication(given(), 'test')).rejects.toMatchObject({ name: 'RelayError', code });
  });

  test('no message carries the password', async () => {
    const given = { ...at(primary.port), user: 'with_password', password: 'hunter2' };
    const error: unknown = await connectSql(given, 'test').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'postgres_authentication' });
    expect(JSON.stringify([String(error), error])).not.toContain('hunter2');
  });

  test('a server that accepts and says nothing is given up in time, or when told to', async () => {
    const silent = createServer();
    const accepted: Promise<void>[] = [];
    silent.on('connection', (socket) => {
      socket.resume().on('error', () => undefined);
      accepted.push(new Promise((resolve) => socket.once('close', () => resolve())));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;

    const late = connectSql({ ...at(port), connectTimeoutMs: 100 }, 'test');
    await expect(late).rejects.toMatchObject({ code: 'postgres_unreachable' });

    const controller = new AbortController();
    const attempt = connectSql({ ...at(port), connectTimeoutMs: 60_000 }, 'test', {}, controller.signal);
    silent.once('connection', () => controller.abort());
    await expect(attempt).rejects.toMatchObject({ code: 'postgres_unreachable' });

    await Promise.all(accepted);
    await new Promise((resolve) => silent.close(resolve));
  });

  test('both kinds of session print values alike, whatever the role says', async () => {
    await primary.query(`ALTER ROLE postgres SET "TimeZone" = 'Asia/Tokyo'; ALTER ROLE postgres SET bytea_output = 'escape';
      ALTER ROLE postgres SET statement_timeout = '1ms'; ALTER ROLE postgres SET search_path = public`);
    const sql = await connectSql(options, 'test', { search_path: 'pg_catalog, public' });
    const replication = await connectReplication(options, 'test');
    const shown =
      "SELECT (timestamptz 'epoch')::text || (bytea '\\x00ff')::text || (1/3::float8)::text || interval '1 day 1s' AS text";
    for (const client of [sql, replication]) {
      const { rows } = await client.query<{ text: string }>(shown);
      expect(rows).toEqual([{ text: '1970-01-01 00:00:00+00\\x00ff0.33333333333333331 day 00:00:01' }]);
    }
    expect((await sql.query('SHOW search_path')).rows).toEqual([{ search_path: 'pg_catalog, public' }]);
    expect((await replication.query('SHOW wal_sender_timeout')).rows).toEqual([{ wal_sender_timeout: '30s' }]);
    expect((await replication.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '30s' }]);
    await sql.query('RESET ALL');
    expect((await sql.query('SHOW TimeZone')).rows).toEqual([{ TimeZone: 'UTC' }]);
    await Promise.all([closeConnection(sql), closeConnection(replication)]);
    await primary.query('ALTER ROLE postgres RESET ALL');
  });

  test('no timeout that was set for the role holds, in either kind of session', async () => {
    await primary.query(`ALTER ROLE postgres SET lock_timeout = '1ms';
      ALTER ROLE postgres SET idle_in_transaction_session_timeout = '1ms'`);
    // unknown before 17
    const known = await primary.query(`SELECT FROM pg_settings WHERE name = 'transaction_timeout'`);
    if (known.length > 0) await primary.query(`ALTER ROLE postgres SET transaction_timeout = '10s'`);
    const sql = await connectSql(options, 'test');
    const replication = await connectReplication(options, 'test');
    const shown = `SELECT name, setting FROM pg_settings WHERE setting <> '0'
      AND name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
      ORDER BY name`;
    expect((await sql.query(shown)).rows).toEqual([]);
    // what bounds the life of a slot
    expect((await replication.query(shown)).rows).toEqual([
      { name: 'idle_session_timeout', setting: '30000' },
      { name: 'lock_timeout', setting: '30000' },
    ]);
    await Promise.all([closeConnection(sql), closeConnection(replication)]);
    await primary.query('ALTER ROLE postgres RESET ALL');
  });

  test('a session leaves a server that has become read-only, and comes back when it no longer is', async () => {
    const session = new SqlSession(options, { role: 'test' });
    const pid = 'SELECT pg_backend_pid() AS pid';
    const ask = async (): Promise<number | undefined> => (await session.query<{ pid: number }>('asking', pid))[0]?.pid;
    const first = await ask();
    await primary.query(`ALTER SYSTEM SET default_transaction_read_only = on`);
    await primary.query('SELECT pg_reload_conf()');
    const refused = `SELECT current_setting('default_transaction_read_only') AS setting`;
    await until(async () => (await session.query<{ setting: string }>('asking', refused))[0]?.setting === 'on', {
      what: 'the session to be read-only',
    });
    await expect(session.query('writing', 'CREATE TABLE written ()')).rejects.toMatchObject({
      code: 'postgres_not_primary',
    });
    await expect(ask()).rejects.toMatchObject({ code: 'postgres_not_primary' });
    await primary.query(`ALTER SYSTEM RESET default_transaction_read_only`);
    await primary.query('SELECT pg_reload_conf()');
    expect(await until(() => ask(), { what: 'a session' })).not.toBe(first);
    await session.close();
  });

  test('after a crash of the server, a session of a term that began before is not to be had, and the term ends', async () => {
    const known = new KnownPrimaries();
    const leader = await connectSql({ ...options, admission: known }, 'leader');
    const { postgres, left } = postgresOfTerm(options, sessionPlace(leader), known);
    const session = new SqlSession(postgres, { role: 'test' });
    const ask = (): Promise<unknown[]> => session.query('asking', 'SELECT 1 AS one');
    expect(await ask()).toEqual([{ one: 1 }]);
    // in the same life of the server it may come back
    await primary.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% test'`);
    await until(() => ask().catch(() => undefined), { what: 'another connection' });

    await primary.kill();
    await primary.restart();
    await until(
      () =>
        ask().then(
          () => false,
          () => left.aborted,
        ),
      { what: 'the term to be over' },
    );
    expect(left.reason).toMatchObject({ code: 'postgres_other_primary' });
    await expect(ask()).rejects.toMatchObject({ code: 'postgres_other_primary' });
    await Promise.all([session.close(), closeConnection(leader)]);
  });

  test('a lost connection is told, and fails what runs on it, without an unhandled error', async () => {
    const client = await connectSql(options, 'doomed');
    const lost = connectionLost(client);
    const sleeping = client.query('SELECT pg_sleep(60)').catch((error: unknown) => postgresError(error, 'sleeping'));
    await primary.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% doomed'`,
    );
    expect(await lost).toMatchObject({ code: 'postgres_unreachable' });
    expect(await sleeping).toMatchObject({ code: 'postgres_unreachable' });
    expect(await connectionLost(client)).toBe(await lost);
    await closeConnection(client);
  });

  test('closing does not wait for a server that does not answer', async () => {
    const client = await connectSql(options, 'test');
    await primary.pause();
    try {
      await closeConnection(client, 100);
    } finally {
      await primary.resume();
    }
  });

  test('check: a pooler between is found by what it hides', async () => {
    const admin = await connectAdmin(primary.url);
    const outbox = await createOutbox(admin);
    await admin.end();
    const client = await connectSql(options, 'test');
    const examine = async (port: number) => {
      const { mapping, publication } = outbox;
      const context = { mapping, publication: publication!, captureMode: 'auto', walBudgetBytes: 2 ** 30 } as const;
      const findings = await checkPostgres(client, { ...context, connection: at(port) });
      return findings.find(({ subject }) => subject === 'postgres.direct_connection');
    };
    await using transparent = await meddlingProxy(primary, {});
    expect(await examine(transparent.port)).toMatchObject({ status: 'ok' });

    const forgetSettings = (packet: Buffer): Buffer =>
      Buffer.from(packet.toString('latin1').replace('outbox_relay.check', 'outbox_pooler.take'), 'latin1');
    await using forgetful = await meddlingProxy(primary, { startup: forgetSettings });
    expect(await examine(forgetful.port)).toMatchObject({
      status: 'error',
      message: expect.stringContaining('settings') as string,
    });

    // BackendKeyData: 'K', length 12, process id, secret; from 18 on the secret may be longer.
    const otherKey = (chunk: Buffer): Buffer => {
      const key = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0]));
      if (key >= 0) chunk.writeInt32BE(4711, key + 5);
      return chunk;
    };
    await using pooler = await meddlingProxy(primary, { answer: otherKey });
    expect(await examine(pooler.port)).toMatchObject({
      status: 'error',
      message: expect.stringContaining('process') as string,
    });
    await closeConnection(client);
  });
});

describeWithLauncher('postgres', 'connections over TLS', () => {
  test('certificates are verified as configured', async () => {
    const { ca, server: pair, client: own } = await makeCertificates();
    await using server = await startPostgres({
      version: postgresMajor(),
      tls: { ...pair, ca },
      hba: ['local all all trust', 'hostssl all postgres 127.0.0.1/32 trust', 'hostssl all client 127.0.0.1/32 cert'],
    });
    await server.query('CREATE ROLE client LOGIN');
    const attempt = async (tls: PostgresOptions['tls'], user = 'postgres'): Promise<string> => {
      const given = { ...postgresOptions(server.url), tls, user };
      const client = await connectSql(given, 'test').catch((error: unknown) => error);
      if (client instanceof RelayError) return client.code;
      const { rows } = await (client as pg.Client).query<{ ssl: boolean }>(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      await closeConnection(client as pg.Client);
      return rows[0]?.ssl === true ? 'encrypted' : 'plain';
    };
    const full = { rejectUnauthorized: true, checkHostname: true };
    expect(await attempt({ ...full, ca })).toBe('encrypted');
    expect(await attempt({ ...full, ca, servername: 'localhost' })).toBe('encrypted');
    expect(await attempt({ ...full, ca, servername: 'elsewhere' })).toBe('postgres_tls');
    expect(await attempt({ ...full, checkHostname: false, ca, servername: 'elsewhere' })).toBe('encrypted');
    expect(await attempt(full)).toBe('postgres_tls');
    expect(await attempt({ rejectUnauthorized: false, checkHostname: false })).toBe('encrypted');
    expect(await attempt({ ...full, ca }, 'client')).toBe('postgres_authentication');
    expect(await attempt({ ...full, ca, ...own }, 'client')).toBe('encrypted');
    expect(await attempt(null)).toBe('postgres_authentication');
  });
});
