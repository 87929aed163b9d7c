import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { TlsOptions } from '../../src/core/tls.ts';
import type { RabbitmqOptions } from '../../src/publish/rabbitmq/options.ts';
import { createRabbitmqPublisher } from '../../src/publish/rabbitmq/publisher.ts';
import { countMessages } from '../support/rabbit-reader.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { type CertificateRequest, CLIENT_REQUEST, ELSEWHERE_REQUEST, SERVER_REQUEST } from '../support/services/tls.ts';
import { until } from '../support/services/until.ts';
import { PublisherRecorder } from './publisher-recorder.ts';
import { outgoing, type PublisherTarget } from './publisher-suite.ts';
import { broker, disposeBroker, missing, newTarget, open, options, spread, withSession } from './rabbitmq-harness.ts';

const proxy = await TcpProxy.start(missing ? undefined : { host: '127.0.0.1', port: broker().port });

afterAll(async () => {
  await proxy.dispose();
  await disposeBroker();
});

const throughProxy = (more: Partial<RabbitmqOptions> = {}): RabbitmqOptions =>
  options({ hosts: [{ host: '127.0.0.1', port: proxy.port }], ...more });

describe.skipIf(missing)('RabbitMQ', () => {
  afterEach(() => proxy.heal());

  describe('a connection', () => {
    test.each([
      ['the confirm deadline', { confirmTimeout: 700 }, 'broker_timeout'],
      ['heartbeats', { heartbeat: 1 }, 'broker_unreachable'],
    ] as const)('that swallows everything is found out by %s', async (_, more, code) => {
      const target = await newTarget();
      await withSession(throughProxy(more), async (session, recorder) => {
        session.enqueue([outgoing(target)]);
        await recorder.ackedCount(1);
        proxy.blackhole();
        session.enqueue([outgoing(target)]);
        await recorder.heard(() => recorder.failures.length > 0, 'the failure');
        expect(recorder.failures[0]).toMatchObject({ code, retryable: true });
      });
    });

    test('that never answers is not waited for', async () => {
      proxy.blackhole();
      const opening = open(throughProxy({ connectTimeout: 500 }));
      await expect(opening).rejects.toMatchObject({ code: 'broker_timeout', retryable: true });
    });

    test('that is given up while it is made ends at once, the socket too', async () => {
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const hosts = [{ host: '127.0.0.1', port: (silent.address() as AddressInfo).port }];
      const giveUp = new AbortController();
      const opening = createRabbitmqPublisher(options({ hosts })).open(new PublisherRecorder(), giveUp.signal);
      const rejected = expect(opening).rejects.toMatchObject({ name: 'RelayError' });
      const [socket] = (await once(silent, 'connection')) as [Socket];
      socket.resume().on('error', () => undefined);
      const closed = once(socket, 'close');
      giveUp.abort();
      await Promise.all([rejected, closed]);
      silent.close();
    });

    test('that an operator closes ends the session, by an error that invites to try again', async () => {
      const target = await newTarget();
      await withSession(options({ appId: 'closed by hand' }), async (session, recorder) => {
        session.enqueue([outgoing(target)]);
        await recorder.ackedCount(1);
        await broker().ctl('close_all_connections', 'by hand');
        await recorder.heard(() => recorder.failures.length > 0, 'the failure');
        expect(recorder.failures[0]).toMatchObject({ code: 'broker_unreachable', retryable: true });
      });
    });

    test('goes to the next host when one does not answer', async () => {
      const hosts = [{ host: '127.0.0.1', port: 1 }, ...options().hosts];
      const session = await open(options({ hosts }));
      await session.close(1_000);
    });
  });

  describe('security', () => {
    test.each([
      ['password', { password: 'not the password' }],
      ['virtual host', { vhost: '/not there' }],
    ] as const)('a wrong %s is said, and no secret', async (_, more) => {
      await expect(open(options(more))).rejects.toMatchObject({ code: 'broker_authentication' });
      await expect(open(options(more))).rejects.not.toThrow(/not the password/);
    });

    test('a user who may not write ends the session', async () => {
      const target = await newTarget();
      await broker().management('PUT', '/users/reader', { password: 'reader', tags: '' });
      await broker().management('PUT', '/permissions/%2F/reader', { configure: '', write: '', read: '.*' });
      await withSession(options({ user: 'reader', password: 'reader' }), async (session, recorder) => {
        session.enqueue([outgoing(target)]);
        await recorder.heard(() => recorder.failures.length > 0, 'the failure');
        expect(recorder.failures[0]?.code).toBe('broker_authorization');
      });
    });

    test('certificates that do not do: it is said which side refuses, and what to mend', async () => {
      const { certificates } = broker();
      const { ca, client } = certificates;
      const hosts = [{ host: '127.0.0.1', port: Number(new URL(broker().tlsUrl).port) }];
      const tls = { rejectUnauthorized: true, checkHostname: true };
      const target = await newTarget();
      await withSession(options({ hosts, tls: { ...tls, ca, ...client } }), async (session, recorder) => {
        session.enqueue(spread(target, 100, 10));
        await recorder.ackedCount(100);
      });
      const outcome = (more: Partial<TlsOptions>) =>
        open(options({ hosts, tls: { ...tls, ca, ...client, ...more } })).then(
          () => 'open',
          (error: unknown) => (error instanceof RelayError ? `${error.code}: ${error.remedy}` : String(error)),
        );
      expect(await outcome({ ca: undefined })).toMatch(/^broker_tls: Set .*ca to/);
      expect(await outcome({ servername: 'elsewhere' })).toMatch(/^broker_tls: .*servername/);
      expect(await outcome({ cert: undefined, key: undefined })).toMatch(/^broker_client_certificate: /);
      const expired = await certificates.issue({ ...CLIENT_REQUEST, validDays: [-2, -1] });
      expect(await outcome(expired)).toMatch(/^broker_client_certificate: .*expired/);
      expect(await outcome({ key: expired.key })).toMatch(/^credentials_unusable: /);
    });

    test('a broker that shows an expired certificate, one that is not valid yet, or one for another host is refused', async () => {
      const { certificates } = broker();
      const { ca, client } = certificates;
      const hosts = [{ host: '127.0.0.1', port: Number(new URL(broker().tlsUrl).port) }];
      const outcome = (more: Partial<TlsOptions> = {}) =>
        open(options({ hosts, tls: { rejectUnauthorized: true, checkHostname: true, ca, ...client, ...more } })).then(
          async (session) => {
            await session.close(1_000);
            return 'open';
          },
          (error: unknown) => (error instanceof RelayError ? `${error.code}: ${error.remedy}` : String(error)),
        );
      const present = async (request: CertificateRequest) =>
        broker().replaceCertificates({ ...certificates, server: await certificates.issue(request) });
      try {
        await present({ ...SERVER_REQUEST, validDays: [-2, -1] });
        expect(await outcome()).toMatch(/^broker_tls: The server's certificate.* has expired/);
        await present({ ...SERVER_REQUEST, validDays: [1, 2] });
        expect(await outcome()).toMatch(/^broker_tls: .*is not valid yet/);
        await present(ELSEWHERE_REQUEST);
        expect(await outcome()).toMatch(/^broker_tls: .*servername/);
        expect(await outcome({ servername: 'broker.example' })).toBe('open');
      } finally {
        await broker().replaceCertificates(certificates);
      }
      expect(await outcome()).toBe('open');
    });
  });

  describe('check', () => {
    const statuses = async (given: RabbitmqOptions, addresses: PublisherTarget['address'][]) => {
      const findings = await createRabbitmqPublisher(given).check(addresses, AbortSignal.timeout(20_000));
      return findings.map(({ status, subject }) => [status, subject]);
    };

    test('tells what is there, what is not, and what could not be examined', async () => {
      const target = await newTarget();
      const absent = { kind: 'exchange', exchange: 'absent', routingKey: '' } as const;
      const byName = { kind: 'exchange', exchange: '', routingKey: target.queue } as const;
      const given = options({ managementUrl: 'http://127.0.0.1:1' });
      expect(await statuses(given, [target.address, absent, byName])).toEqual([
        ['ok', 'rabbitmq.connection'],
        ['ok', `rabbitmq.exchange.${target.exchange}`],
        ['error', 'rabbitmq.exchange.absent'],
        ['ok', `rabbitmq.queue.${target.queue}`],
        ['warning', 'rabbitmq.queues'],
      ]);
      const nowhere = options({ hosts: [{ host: '127.0.0.1', port: 1 }] });
      expect(await statuses(nowhere, [target.address])).toEqual([['error', 'rabbitmq.connection']]);
    });

    test('finds queues that discard what they have confirmed, which no session is opened for', async () => {
      const target = await newTarget({ 'x-queue-type': 'classic' });
      const given = options({ managementUrl: broker().managementUrl });
      const last = async () => (await statuses(given, [target.address])).at(-1);
      expect(await last()).toEqual(['ok', 'rabbitmq.queues']);
      await broker().setPolicy(target.queue, { pattern: `^${target.queue}$`, definition: { 'max-length': 5 } });
      await until(async () => (await last())?.[0] === 'error', { what: 'the finding' });
      await expect(open(given, [target.address])).rejects.toMatchObject({ code: 'broker_setup' });
      await broker().removePolicy(target.queue);
    });

    test('refuses to declare such a queue', async () => {
      const queue = { name: 'dropping', declare: true, durable: true, arguments: { 'x-max-length': 5 }, bindings: [] };
      await expect(open(options({ queues: [queue] }))).rejects.toMatchObject({ code: 'broker_setup' });
      await expect(countMessages(broker().url, 'dropping')).rejects.toThrow(/NOT_FOUND/);
    });
  });
});
