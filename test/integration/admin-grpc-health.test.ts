import { createPrivateKey } from 'node:crypto';
import { connect } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AdminCredentials } from '../../src/admin/credentials.ts';
import { type GrpcHealthOptions, GrpcHealthServer } from '../../src/admin/grpc-health.ts';
import type { StatusReport } from '../../src/core/status.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { HealthClient } from '../support/health-client.ts';
import { makeCertificates, type Certificates } from '../support/services/tls.ts';
import { until } from '../support/services/until.ts';
import { destinationStatus, statusReport } from '../support/status-report.ts';

const READY = statusReport();
const DOWN = statusReport({ destinations: [destinationStatus({ state: 'down' })] });
const STUCK = statusReport({ heartbeatAgeSeconds: 3600, destinations: [destinationStatus({ state: 'down' })] });

describe('the gRPC health service', () => {
  let report: StatusReport = READY;
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    report = READY;
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start(options: Partial<GrpcHealthOptions> = {}): Promise<GrpcHealthServer> {
    const log = createLogger({ level: 'silent' });
    const server = new GrpcHealthServer({ host: '127.0.0.1', port: 0, ...options }, () => report, log);
    ends.push(() => server.close(100));
    await server.listen();
    return server;
  }

  function clientOf(server: GrpcHealthServer, ca?: string): HealthClient {
    const channel = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    const client = new HealthClient(`localhost:${server.port}`, channel);
    ends.push(() => client.close());
    return client;
  }

  async function next(states: AsyncGenerator<string>): Promise<string> {
    const told: IteratorResult<string, unknown> = await states.next();
    return String(told.value);
  }

  it.each([
    ['a leader whose destinations stream', READY, 'SERVING', 'SERVING'],
    ['a destination that is down', DOWN, 'SERVING', 'NOT_SERVING'],
    ['housekeeping that is stuck', STUCK, 'NOT_SERVING', 'NOT_SERVING'],
  ])('tells the same as the HTTP probes: %s', async (_, status, live, ready) => {
    const client = clientOf(await start());
    report = status;
    const answers = await Promise.all(['', 'liveness', 'readiness'].map((service) => client.check(service)));
    expect(answers).toEqual([live, live, ready]);
  });

  it('knows no other service', async () => {
    const client = clientOf(await start());
    expect(await client.check('readyz')).toBe('NOT_FOUND');
    expect(await next(client.watch('readyz'))).toBe('SERVICE_UNKNOWN');
  });

  it('skips fields that it does not know, and refuses what is no message', async () => {
    const client = clientOf(await start());
    const fields = [
      '1005',
      '190000000000000000',
      '2500000000',
      '12026162',
      `0a09${Buffer.from('readiness').toString('hex')}`,
    ];
    report = DOWN;
    expect(await client.check(Buffer.from(fields.join(''), 'hex'))).toBe('NOT_SERVING');
    for (const broken of ['0a', '0aff', '0a05', '0b', '08ff', '09']) {
      expect(await client.check(Buffer.from(broken, 'hex')), broken).toBe('INTERNAL');
    }
    expect(await client.check('x'.repeat(100))).toBe('NOT_FOUND');
    expect(await client.check(Buffer.alloc(5000))).toBe('RESOURCE_EXHAUSTED');
    expect(await client.check('')).toBe('SERVING');
  });

  it('tells watchers of each change, and of the end', async () => {
    const server = await start();
    const states = clientOf(server).watch('readiness');
    expect(await next(states)).toBe('SERVING');
    report = DOWN;
    expect(await next(states)).toBe('NOT_SERVING');
    report = READY;
    expect(await next(states)).toBe('SERVING');
    await server.close(5_000);
    expect(await next(states)).toBe('NOT_SERVING');
    expect(await next(states)).toBe('OK');
    await server.close(5_000);
  });

  it('lets a hundred watch, and no more', async () => {
    const server = await start();
    const client = clientOf(server);
    const watched = Array.from({ length: 100 }, () => client.watch(''));
    expect(new Set(await Promise.all(watched.map(next)))).toEqual(new Set(['SERVING']));
    expect(await next(client.watch(''))).toBe('RESOURCE_EXHAUSTED');
    expect(await client.check('')).toBe('SERVING');
  });

  it('says clearly that its port is taken', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({
      code: 'config_invalid',
      message: `admin.grpc.host 127.0.0.1, admin.grpc.port ${port}: cannot listen there`,
    });
  });

  it('goes on when somebody talks nonsense to it', async () => {
    const server = await start();
    const socket = connect(server.port, '127.0.0.1');
    await new Promise((resolve) =>
      socket.on('error', resolve).on('close', resolve).resume().end('GET / HTTP/1.1\r\n\r\n'),
    );
    expect(await clientOf(server).check('')).toBe('SERVING');
  });

  describe('with TLS', () => {
    let own: Certificates;
    let others: Certificates;
    beforeAll(async () => {
      [own, others] = await Promise.all([makeCertificates(), makeCertificates()]);
    });

    it('shows the certificate of the admin port, whose key may have a passphrase, and asks for none', async () => {
      const passphrase = 'of the key';
      const key = createPrivateKey(own.server.key).export({
        ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc' },
        passphrase,
      }) as string;
      const server = await start({ tls: { ...own.server, key, passphrase, clientCa: own.ca } });
      expect(await clientOf(server, own.ca).check('')).toBe('SERVING');
      expect(await clientOf(server, others.ca).check('')).toBe('UNAVAILABLE');
      expect(await clientOf(server).check('')).toBe('UNAVAILABLE');
    });

    it('takes a new certificate without a restart, and cuts nobody off', async () => {
      let latest: AdminCredentials = { token: null, tls: own.server };
      const server = await start({ ...latest, renewed: () => latest });
      const states = clientOf(server, own.ca).watch('readiness');
      expect(await next(states)).toBe('SERVING');
      latest = { token: null, tls: { ...others.server, key: own.server.key } };
      server.renewCredentials();
      expect(await clientOf(server, own.ca).check(''), 'while the new one is of no use').toBe('SERVING');
      latest = { token: null, tls: others.server };
      server.renewCredentials();
      const renewed = async (): Promise<boolean> => (await clientOf(server, others.ca).check('')) === 'SERVING';
      await until(renewed, { what: 'the new certificate' });
      expect(await clientOf(server, own.ca).check('')).toBe('UNAVAILABLE');
      report = DOWN;
      expect(await next(states)).toBe('NOT_SERVING');
    });

    it('does not begin with a key that is of another certificate', async () => {
      const tls = { ...own.server, key: others.server.key };
      await expect(start({ tls })).rejects.toMatchObject({ code: 'credentials_unusable' });
    });
  });
});
