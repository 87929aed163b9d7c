import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdminCredentials } from '../../src/admin/credentials.ts';
import { textAnswer, jsonAnswer, type Endpoint } from '../../src/admin/http.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { outboxRelay } from '../support/cli.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { makeCertificates, type Certificates } from '../support/services/tls.ts';

const TOKEN = 'a-token-of-sixteen';

const ENDPOINTS: readonly Endpoint[] = [
  { method: 'GET', path: '/healthz', access: 'anyone', answer: () => textAnswer(200, 'alive') },
  { method: 'GET', path: '/status', access: 'reader', answer: () => jsonAnswer({ heartbeatAgeSeconds: 1 }) },
];

describe('the admin port with TLS', () => {
  let own: Certificates;
  let others: Certificates;
  let folder: string;
  const servers: AdminServer[] = [];

  beforeAll(async () => {
    [own, others] = await Promise.all([makeCertificates(), makeCertificates()]);
    folder = await mkdtemp(join(tmpdir(), 'outbox-relay-admin-'));
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close(0)));
    await rm(folder, { recursive: true });
  });

  async function start(credentials: AdminCredentials & { renewed?: () => AdminCredentials }): Promise<AdminServer> {
    const log = createLogger({ level: 'silent' });
    const options = { host: '127.0.0.1', port: 0, ...credentials };
    const server = new AdminServer(options, ENDPOINTS, log);
    servers.push(server);
    await server.listen();
    return server;
  }

  /** The status of the answer, or the code of the error. */
  function ask(server: AdminServer, path: string, options: ConnectionOptions & { token?: string } = {}) {
    const { token, ...tls } = options;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return new Promise<number | string>((resolve) => {
      const url = `https://localhost:${server.port}${path}`;
      const sent = request(url, { ca: own.ca, headers, agent: false, ...tls }, (answer) => {
        void text(answer).then(() => resolve(answer.statusCode ?? 0));
      });
      sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      sent.end();
    });
  }

  it('asks for token and certificate, and lets probes in without', async () => {
    const server = await start({ token: TOKEN, tls: { ...own.server, clientCa: own.ca } });
    expect(await ask(server, '/healthz')).toBe(200);
    expect(await ask(server, '/status')).toBe(403);
    expect(await ask(server, '/status', own.client)).toBe(401);
    expect(await ask(server, '/status', { token: TOKEN })).toBe(403);
    expect(await ask(server, '/status', { ...others.client, token: TOKEN })).toBe(403);
    expect(await ask(server, '/status', { ...own.client, token: TOKEN })).toBe(200);
  });

  it('is not to be mistaken for another', async () => {
    const server = await start({ token: null, tls: own.server });
    expect(await ask(server, '/status', { ca: others.ca })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(await ask(server, '/status', { servername: 'relay.example' })).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('takes a new certificate and token without a restart, and keeps the old ones while the new are of no use', async () => {
    let latest: AdminCredentials = { token: TOKEN, tls: own.server };
    const server = await start({ ...latest, renewed: () => latest });
    expect(await ask(server, '/status', { token: TOKEN })).toBe(200);
    latest = { token: 'another-token-of-16', tls: { cert: others.server.cert, key: own.server.key } };
    server.renewCredentials();
    expect(await ask(server, '/status', { token: TOKEN })).toBe(200);
    latest = { token: 'another-token-of-16', tls: others.server };
    server.renewCredentials();
    expect(await ask(server, '/status', { token: TOKEN })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(await ask(server, '/status', { token: TOKEN, ca: others.ca })).toBe(401);
    expect(await ask(server, '/status', { token: 'another-token-of-16', ca: others.ca })).toBe(200);
  });

  it('refuses to start with a key that is not that of the certificate', () => {
    const tls = { cert: own.server.cert, key: own.client.key };
    return expect(start({ token: null, tls })).rejects.toMatchObject({ code: 'credentials_unusable' });
  });

  it('is asked by the status command: by the configuration, or by a URL', async () => {
    const server = await start({ token: TOKEN, tls: { ...own.server, clientCa: own.ca } });
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };
    const [ca, cert, key, token] = await Promise.all([
      file('ca', own.ca),
      file('cert', own.client.cert),
      file('key', own.client.key),
      file('token', `${TOKEN}\n`),
    ]);
    const client = ['--client-cert', cert, '--client-key', key];
    const config = await file(
      'relay.yaml',
      JSON.stringify({
        postgres: { url: 'postgres://relay@localhost/shop' },
        destinations: { console: { type: 'console' } },
        admin: { port: server.port, tokenFile: token, tls: own.server },
      }),
    );
    const { stdout } = await outboxRelay('status', '--config', config, '--json', ...client);
    expect(JSON.parse(stdout)).toEqual({ heartbeatAgeSeconds: 1 });
    const url = ['--json', '--url', `https://localhost:${server.port}`, ...client];
    expect((await outboxRelay('status', ...url, '--ca', ca, '--token-file', token)).code).toBe(0);
    expect((await outboxRelay('status', ...url, '--ca', ca)).stderr).toContain('this needs the token of admin.token');
    expect((await outboxRelay('status', ...url, '--token-file', token)).stderr).toContain('no relay answers');
    const impostor = await start({ token: null, tls: others.server });
    const elsewhere = JSON.stringify({
      postgres: { url: 'postgres://relay@localhost/shop' },
      destinations: { console: { type: 'console' } },
      admin: { port: impostor.port, tokenFile: token, tls: own.server },
    });
    const { code, stderr } = await outboxRelay('status', '--config', await file('elsewhere.yaml', elsewhere));
    expect([code, stderr]).toEqual([1, expect.stringContaining('no relay answers') as string]);
  });
});
