import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertNumbers, numberFaults, untilTold } from '../support/numbered-rows.ts';
import { declareQueue, drainQueue } from '../support/rabbit-reader.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithLauncher, uniqueName } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { type StartedRabbitmq, startRabbitmq } from '../support/services/rabbitmq.ts';
import { type Certificates, makeCertificates } from '../support/services/tls.ts';

const ROWS = 300;

describeWithLauncher('rabbitmq', 'credentials that are replaced while the relay works', () => {
  let old: Certificates;
  let other: Certificates;
  let postgres: StartedPostgres;
  let broker: StartedRabbitmq;
  let folder: string;

  beforeAll(async () => {
    [old, other] = await Promise.all([makeCertificates(), makeCertificates()]);
    folder = await mkdtemp(join(tmpdir(), 'outbox-relay-rotation-'));
    const hba = [
      'local all all trust',
      'host all postgres 127.0.0.1/32 trust',
      'hostssl all,replication all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca',
    ];
    [postgres, broker] = await Promise.all([
      startPostgres({ version: postgresMajor(), tls: { ...old.server, ca: old.ca }, hba }),
      startRabbitmq({ tls: true }),
    ]);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([postgres.dispose(), broker.dispose()]);
    await rm(folder, { recursive: true });
  });

  /** What the relay reads. */
  const file = (name: string) => join(folder, name);
  const write = (name: string, content: string): Promise<void> => writeFile(file(name), content);
  const writeCertificates = async (service: string, { ca, client }: Certificates): Promise<void> => {
    await write(`${service}.ca`, ca);
    await write(`${service}.crt`, client.cert);
    await write(`${service}.key`, client.key);
  };
  const tls = (service: string) => ({
    ca: file(`${service}.ca`),
    cert: file(`${service}.crt`),
    key: file(`${service}.key`),
  });

  test('nothing is lost, whichever side changes first', async () => {
    const outbox = await relayOutbox(postgres.url, { payload: 'text' });
    const setPassword = async (password: string): Promise<void> => {
      await outbox.admin.query(`ALTER ROLE ${outbox.role} PASSWORD '${password}'`);
    };
    const endSessions = (): Promise<unknown> =>
      outbox.admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1`, [outbox.role]);
    const setBrokerPassword = async (password: string): Promise<void> => {
      await broker.management('PUT', '/users/relay', { password, tags: '' });
    };
    const closeConnections = () => broker.ctl('close_all_user_connections', 'relay', 'test');

    await setPassword('first');
    await setBrokerPassword('first');
    await broker.management('PUT', '/permissions/%2F/relay', { configure: '.*', write: '.*', read: '.*' });
    await write('postgres.password', 'first\n');
    await write('rabbitmq.password', 'first\n');
    await writeCertificates('postgres', old);
    await writeCertificates('rabbitmq', broker.certificates);

    const [exchange, queue] = [uniqueName('exchange'), uniqueName('queue')];
    await declareQueue(broker.url, { queue, binding: { exchange, routingKey: '#', exchangeType: 'topic' } });
    const { postgres: connection, ...rest } = outbox.config({
      destinations: {
        rabbitmq: {
          type: 'rabbitmq',
          host: '127.0.0.1',
          port: Number(new URL(broker.tlsUrl).port),
          user: 'relay',
          password: `\${file:${file('rabbitmq.password')}}`,
          tls: tls('rabbitmq'),
        },
      },
      routes: [{ destination: 'rabbitmq', exchange }],
    });
    const password = `\${file:${file('postgres.password')}}`;
    const relay = await startRelay({
      ...rest,
      postgres: { ...(connection as object), password, tls: tls('postgres') },
    });
    await relay.untilState('streaming');

    let written = 0;
    /** Rows before, while and after something is replaced: all are published in the end. */
    const underLoad = async (replace: () => Promise<unknown>): Promise<void> => {
      const insert = (): Promise<void> => insertNumbers(outbox, ROWS, (written += ROWS) - ROWS + 1);
      await insert();
      await Promise.all([insert(), replace()]);
      await insert();
      await outbox.untilEmpty(90_000);
    };

    // the file first, and nobody is cut off: the sessions that run are left alone, and the next ones use the new password
    await underLoad(async () => {
      await write('postgres.password', 'second');
      await write('rabbitmq.password', 'second');
      await Promise.all([setPassword('second'), setBrokerPassword('second')]);
    });
    expect((await relay.status()).lastErrors.map(({ code }) => code)).not.toContain('postgres_authentication');
    await underLoad(() => Promise.all([endSessions(), closeConnections()]));
    await relay.untilState('streaming');

    // the server first: the relay is shut out, says so, and comes back by itself once the file is there
    await underLoad(async () => {
      await Promise.all([setPassword('third'), setBrokerPassword('third')]);
      await Promise.all([endSessions(), closeConnections()]);
      await untilTold(relay, 'postgres_authentication');
      await write('postgres.password', 'third');
      await untilTold(relay, 'broker_authentication');
      await write('rabbitmq.password', 'third');
    });

    // another authority, on both sides of both connections
    await underLoad(async () => {
      await writeFile(join(postgres.dataDir, 'ssl_cert_file.pem'), other.server.cert);
      await writeFile(join(postgres.dataDir, 'ssl_key_file.pem'), other.server.key);
      await writeFile(join(postgres.dataDir, 'ssl_ca_file.pem'), other.ca);
      await outbox.admin.query('SELECT pg_reload_conf()');
      await broker.replaceCertificates(other);
      await Promise.all([endSessions(), closeConnections()]);
      await untilTold(relay, 'postgres_tls');
      await writeCertificates('postgres', other);
      await writeCertificates('rabbitmq', other);
    });
    await relay.untilState('streaming');
    const payloads = (await drainQueue(broker.url, queue)).map(({ content }) => content.toString());
    expect(numberFaults(payloads, written)).toEqual([]);
    expect(await relay.log()).not.toMatch(/"(first|second|third)"/);
    expect(relay.running).toBe(true);
  }, 240_000);
});
