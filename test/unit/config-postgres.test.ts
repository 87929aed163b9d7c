import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failure, load } from './config-support.ts';

const CONSOLE = 'destinations: { c: { type: console } }\n';
const CA = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const postgres = (section: string, files: Readonly<Record<string, string>> = {}) =>
  load(`postgres: ${section}\n${CONSOLE}`, {}, files).postgres;
const refusal = (section: string) => failure(`postgres: ${section}\n${CONSOLE}`);

describe('postgres', () => {
  it('reads a URL as libpq does, with several hosts and files', () => {
    const url =
      'postgres://relay:p%40ss%2Fword@db1:5433,db2,[::1]:6000/shop%20x?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3&application_name=me';
    expect(postgres(`{ url: "${url}" }`, { '/ca.pem': CA })).toMatchObject({
      hosts: [
        { host: 'db1', port: 5433 },
        { host: 'db2', port: 5432 },
        { host: '::1', port: 6000 },
      ],
      database: 'shop x',
      user: 'relay',
      password: 'p@ss/word',
      tls: { rejectUnauthorized: true, checkHostname: true, ca: CA },
      connectTimeoutMs: 3000,
      applicationName: 'me',
    });
  });

  it('reads the parts, and completes a URL by them', () => {
    const parts = {
      database: 'shop',
      user: 'relay',
      password: null,
      tls: null,
      connectTimeoutMs: 10_000,
      applicationName: 'outbox-relay',
    };
    expect(postgres('{ host: "db1,db2:5433", port: 6000, database: shop, user: relay }')).toEqual({
      ...parts,
      hosts: [
        { host: 'db1', port: 6000 },
        { host: 'db2', port: 5433 },
      ],
    });
    expect(postgres('{ url: "postgresql://relay@db/shop", password: pw, tls: {} }')).toEqual({
      ...parts,
      hosts: [{ host: 'db', port: 5432 }],
      password: 'pw',
      tls: { rejectUnauthorized: true, checkHostname: true },
    });
  });

  it.each([
    ['disable', null],
    ['require', { rejectUnauthorized: false, checkHostname: false }],
    ['verify-ca', { rejectUnauthorized: true, checkHostname: false }],
    ['verify-full', { rejectUnauthorized: true, checkHostname: true }],
  ])('knows the mode %s in both forms', (mode, tls) => {
    expect(postgres(`{ url: "postgres://u@h/d?sslmode=${mode}" }`).tls).toEqual(tls);
    expect(postgres(`{ url: "postgres://u@h/d", tls: { mode: ${mode} } }`).tls).toEqual(tls);
  });

  it('verifies with a root certificate even under sslmode=require, as libpq does', () => {
    expect(postgres('{ url: "postgres://u@h/d?sslmode=require&sslrootcert=/ca" }', { '/ca': CA }).tls).toEqual({
      rejectUnauthorized: true,
      checkHostname: false,
      ca: CA,
    });
  });

  it('takes a socket folder and hosts from parameters', () => {
    expect(postgres('{ url: "postgres:///d?host=/var/run/postgresql&user=u" }')).toMatchObject({
      hosts: [{ host: '/var/run/postgresql', port: 5432 }],
      user: 'u',
      database: 'd',
    });
  });

  it.each([
    ['{}', 'postgres.url', 'is missing: expected a connection URL, or host, database and user'],
    ['{ url: "mysql://u@h/d" }', 'postgres.url', 'expected the form postgres://'],
    ['{ url: "postgres://h/d" }', 'postgres.user', 'is missing'],
    ['{ url: "postgres://u@h" }', 'postgres.database', 'is missing'],
    ['{ url: "postgres://u@h/d", user: v }', 'postgres.user', 'is given by url as well'],
    ['{ url: "postgres://u@h/d", host: v }', 'postgres.host', 'is given by url as well'],
    ['{ url: "postgres://u@h:70000/d" }', 'postgres.url', 'expected hosts'],
    ['{ url: "postgres://u@h/d?sslmode=prefer" }', 'postgres.url', 'never falls back to plain text'],
    ['{ url: "postgres://u@h/d?sslmod=require" }', 'postgres.url', "did you mean 'sslmode'?"],
    ['{ url: "postgres://u@h/d?target_session_attrs=standby" }', 'postgres.url', 'needs the primary'],
    ['{ url: "postgres://u@h/d", tls: { cert: /c } }', 'postgres.tls.key', 'belong together'],
    ['{ url: "postgres://u@h/d", tls: { ca: /none } }', 'postgres.tls.ca', 'cannot read /none (ENOENT)'],
    ['{ url: "postgres://u@h/d?sslrootcert=/none" }', 'postgres.tls.ca', 'cannot read /none (ENOENT)'],
    ['{ url: 5 }', 'postgres.url', 'expected a URL'],
  ])('refuses %s', (section, path, message) => {
    const text = refusal(section);
    expect(text).toContain(`- ${path} `);
    expect(text).toContain(message);
  });

  it('reads any login that is percent-encoded', () => {
    const part = fc.string({ minLength: 1, unit: 'binary' });
    fc.assert(
      fc.property(part, part, part, (user, password, database) => {
        const url = `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h/${encodeURIComponent(database)}`;
        const yaml = `postgres: { url: "\${URL}" }\n${CONSOLE}`;
        expect(load(yaml, { URL: url }).postgres).toMatchObject({ user, password, database });
      }),
      { numRuns: 30 },
    );
  });
});

describe('table', () => {
  const table = (name: string) =>
    load(`postgres: { url: "postgres://u@h/d" }\n${CONSOLE}table:\n  name: '${name}'\n`).table;

  it.each([
    ['outbox', 'public', 'outbox'],
    ['Orders.OutBox', 'orders', 'outbox'],
    ['"My Schema"."Out""box.x"', 'My Schema', 'Out"box.x'],
    ['a."B"', 'a', 'B'],
  ])('reads the name %s', (written, schema, name) => expect(table(written)).toMatchObject({ schema, name }));

  it.each(['', 'a.b.c', '"a', 'a b', '1a', 'a.', `s.${'x'.repeat(49)}`])('refuses the name %j', (written) => {
    expect(() => table(written)).toThrow('table.name (relay.yaml:4:9)');
  });
});
