import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import {
  closeConnection,
  connectReplication,
  connectSql,
  type PostgresOptions,
} from '../../src/postgres/connection.ts';
import { postgresOptions } from '../support/outbox.ts';
import { describeWithLauncher } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import {
  type Certificates,
  CLIENT_REQUEST,
  type KeyPair,
  makeCertificates,
  SERVER_REQUEST,
} from '../support/services/tls.ts';
import { until } from '../support/services/until.ts';

const FULL = { rejectUnauthorized: true, checkHostname: true } as const;

describeWithLauncher('postgres', 'Postgres by certificates', () => {
  let own: Certificates;
  let others: Certificates;
  let server: StartedPostgres;

  beforeAll(async () => {
    [own, others] = await Promise.all([makeCertificates(), makeCertificates()]);
    server = await startPostgres({
      version: postgresMajor(),
      tls: { ...own.server, ca: own.ca },
      hba: [
        'local all all trust',
        'hostssl all,replication client 127.0.0.1/32 cert',
        'hostssl all,replication secret 127.0.0.1/32 scram-sha-256',
        'hostssl all all 127.0.0.1/32 trust',
      ],
    });
    await server.query(`CREATE ROLE client LOGIN REPLICATION; CREATE ROLE secret LOGIN REPLICATION PASSWORD 'first'`);
  }, 60_000);
  afterAll(() => server.dispose());

  /** Logs in with this, as SQL session and as walsender, which must agree; the code of the error, and its remedy. */
  async function attempt(more: Partial<PostgresOptions>): Promise<string> {
    const options = { ...postgresOptions(server.url), tls: { ...FULL, ca: own.ca }, ...more };
    const outcomes = await Promise.all(
      [connectSql(options, 'test'), connectReplication(options, 'test')].map((connecting) =>
        connecting.then(
          async (client: pg.Client) => {
            await closeConnection(client);
            return 'in';
          },
          (error: unknown) => (error instanceof RelayError ? `${error.code}: ${error.remedy}` : String(error)),
        ),
      ),
    );
    expect(new Set(outcomes).size, outcomes.join('\n')).toBe(1);
    return outcomes[0]!;
  }

  /** Postgres shows another certificate. */
  async function present({ cert, key }: KeyPair): Promise<void> {
    await serverFile('ssl_cert_file.pem', cert);
    await serverFile('ssl_key_file.pem', key);
    await reload();
  }

  /** Written over the old one, so that it stays the account's that the server runs as. */
  const serverFile = (name: string, pem: string): Promise<void> => writeFile(join(server.dataDir, name), pem);

  async function reload(): Promise<void> {
    const loadedAt = async (): Promise<string | undefined> =>
      (await server.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at'))[0]?.at;
    const before = await loadedAt();
    await server.query('SELECT pg_reload_conf()');
    await until(async () => (await loadedAt()) !== before, { what: 'the new configuration' });
  }

  test('a server that shows the wrong certificate is refused, and it is said what is wrong with it', async () => {
    expect(await attempt({})).toBe('in');
    expect(await attempt({ tls: { ...FULL, ca: others.ca } })).toMatch(/^postgres_tls: Set postgres\.tls\.ca/);
    expect(await attempt({ tls: { ...FULL, ca: own.ca, servername: 'elsewhere' } })).toMatch(
      /^postgres_tls: .*servername/,
    );
    try {
      await present(await own.issue({ ...SERVER_REQUEST, validDays: [-2, -1] }));
      expect(await attempt({})).toMatch(/^postgres_tls: The server's certificate.* has expired/);
      await present(await own.issue({ ...SERVER_REQUEST, validDays: [1, 2] }));
      expect(await attempt({})).toMatch(/^postgres_tls: .*not valid yet/);
      await present(await own.issue({ commonName: 'db.example', extension: 'subjectAltName=DNS:db.example' }));
      expect(await attempt({})).toMatch(/^postgres_tls: Connect by a name/);
      expect(await attempt({ tls: { ...FULL, ca: own.ca, servername: 'db.example' } })).toBe('in');
    } finally {
      await present(own.server);
    }
    expect(await attempt({})).toBe('in');
  });

  test('a client certificate that is missing, of another authority, expired, revoked or encrypted', async () => {
    const tls = { ...FULL, ca: own.ca };
    const user = 'client';
    expect(await attempt({ user, tls: { ...tls, ...own.client } })).toBe('in');
    expect(await attempt({ user, tls })).toMatch(/^postgres_authentication: .*postgres\.tls\.cert/);
    expect(await attempt({ user: 'postgres', tls: { ...tls, ...others.client } })).toMatch(
      /^postgres_client_certificate: .*authority/,
    );
    const expired = await own.issue({ ...CLIENT_REQUEST, validDays: [-2, -1] });
    expect(await attempt({ user, tls: { ...tls, ...expired } })).toMatch(/^postgres_client_certificate: .*expired/);

    const encrypted = await own.issue({ ...CLIENT_REQUEST, passphrase: 'the passphrase' });
    expect(await attempt({ user, tls: { ...tls, ...encrypted, passphrase: 'the passphrase' } })).toBe('in');
    for (const passphrase of [undefined, 'wrong'])
      expect(await attempt({ user, tls: { ...tls, ...encrypted, passphrase } })).toMatch(/^credentials_unusable: /);
    expect(await attempt({ user, tls: { ...tls, cert: own.client.cert, key: encrypted.key } })).toMatch(
      /^credentials_/,
    );

    const revoked = await own.issue(CLIENT_REQUEST);
    expect(await attempt({ user, tls: { ...tls, ...revoked } })).toBe('in');
    await server.query(`ALTER SYSTEM SET ssl_crl_file = 'revoked.crl'`);
    await serverFile('revoked.crl', await own.revocationList(revoked.cert));
    await reload();
    expect(await attempt({ user, tls: { ...tls, ...revoked } })).toMatch(/^postgres_client_certificate: .*revoked/);
    expect(await attempt({ user, tls: { ...tls, ...own.client } })).toBe('in');
  });

  test('a password that is replaced is read anew by the next login, of every kind of session', async () => {
    let password = 'first';
    const renewed = () => ({ user: 'secret', password, tls: { ...FULL, ca: own.ca } });
    const options = { user: 'secret', password: 'at the start', renewed };
    expect(await attempt(options)).toBe('in');
    await server.query(`ALTER ROLE secret PASSWORD 'second'`);
    expect(await attempt(options)).toMatch(/^postgres_authentication: Postgres refuses the password.* read again/);
    password = 'second';
    expect(await attempt(options)).toBe('in');
  });
});
