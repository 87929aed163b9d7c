/** Kafka's side of relay-rotation.test.ts: a login, the authority of the broker and the relay's own certificate are replaced under load. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setScramPassword } from '../support/kafka-access.ts';
import { readTopic } from '../support/kafka-reader.ts';
import { insertNumbers, numberFaults } from '../support/numbered-rows.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithLauncher, freshDatabase, uniqueName } from '../support/service.ts';
import { type StartedKafka, startKafka } from '../support/services/kafka.ts';
import { CLIENT_REQUEST, type KeyPair, makeCertificates } from '../support/services/tls.ts';
import { until } from '../support/services/until.ts';

const ROWS = 300;
/** What each destination is shut out for, should its file be late. */
const REFUSALS = {
  login: 'broker_authentication',
  authority: 'broker_tls',
  client: 'broker_client_certificate',
} as const;
type Name = keyof typeof REFUSALS;
const NAMES = Object.keys(REFUSALS) as Name[];

describeWithLauncher('kafka', 'credentials of Kafka that are replaced while the relay works', () => {
  const database = freshDatabase();
  let broker: StartedKafka;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbox-relay-rotation-'));
    broker = await startKafka({
      listeners: ['plaintext', 'tls', 'sasl-tls'],
      properties: { 'connections.max.reauth.ms': '2000' },
    });
  }, 120_000);
  afterAll(async () => {
    await broker.dispose();
    await rm(folder, { recursive: true });
  });

  /** What the relay reads. */
  const file = (name: string): string => join(folder, name);
  const write = (name: string, content: string): Promise<void> => writeFile(file(name), content);
  const writePair = async (name: Name, { cert, key }: KeyPair): Promise<void> => {
    await write(`${name}.crt`, cert);
    await write(`${name}.key`, key);
  };
  const mutual = (name: Name) => ({
    type: 'kafka',
    brokers: broker.addresses.tls,
    tls: { ca: file(`${name}.ca`), cert: file(`${name}.crt`), key: file(`${name}.key`) },
  });

  test('nothing is lost, whichever side changes first', async () => {
    const outbox = await relayOutbox(database.url, { payload: 'text' });
    const [plain = ''] = broker.brokers;
    const { certificates, credentials } = broker;
    const topics = { login: uniqueName('topic'), authority: uniqueName('topic'), client: uniqueName('topic') };
    for (const name of NAMES) {
      await broker.createTopic(topics[name]);
      await write(`${name}.ca`, certificates.ca);
      await writePair(name, certificates.client);
    }
    await write('password', credentials.password);
    const relay = await startRelay(
      outbox.config({
        destinations: {
          login: {
            type: 'kafka',
            brokers: broker.addresses['sasl-tls'],
            tls: { ca: file('login.ca') },
            sasl: {
              mechanism: 'SCRAM-SHA-256',
              username: credentials.username,
              password: `\${file:${file('password')}}`,
            },
          },
          authority: mutual('authority'),
          client: mutual('client'),
        },
        routes: NAMES.map((name) => ({ destination: name, match: { aggregatetype: name }, topic: topics[name] })),
      }),
    );
    const allStream = () =>
      relay.waitFor('all to stream', ({ destinations }) => destinations.every(({ state }) => state === 'streaming'));
    await allStream();

    let written = 0;
    const insert = async (): Promise<void> => {
      for (const name of NAMES) await insertNumbers(outbox, ROWS, written + 1, name);
      written += ROWS;
    };
    const refused = (): string => NAMES.filter((name) => told.has(`${name} ${REFUSALS[name]}`)).join();
    const told = new Set<string>();
    const look = async (): Promise<void> => {
      for (const { destination, code } of (await relay.status()).lastErrors) told.add(`${destination ?? ''} ${code}`);
    };

    // the files first: connections that are made anew use them
    await insert();
    await write('password', 'second');
    await setScramPassword(plain, credentials.username, 'second');
    await writePair('client', await certificates.issue(CLIENT_REQUEST));
    await broker.restart();
    await insert();
    await outbox.untilEmpty(90_000);
    await allStream();
    await look();
    expect(refused()).toBe('');

    // the servers first: each is shut out, says so, and comes back by itself once its file is there
    const other = await makeCertificates();
    await setScramPassword(plain, credentials.username, 'third');
    await broker.presentCertificate(other.server);
    await write('client.ca', other.ca);
    await writePair('client', await certificates.issue({ ...CLIENT_REQUEST, validDays: [-2, -1] }));
    await broker.restart();
    await insert();
    const allRefused = async (): Promise<boolean> => {
      await look();
      return refused() === NAMES.join();
    };
    await until(allRefused, { what: 'all to be refused', timeoutMs: 90_000, details: () => [...told].join() });
    await write('password', 'third');
    await write('authority.ca', other.ca);
    await writePair('client', certificates.client);
    await insert();
    await outbox.untilEmpty(90_000);
    await allStream();

    for (const name of NAMES) {
      const payloads = (await readTopic(plain, topics[name])).map(({ value }) => value?.toString() ?? '');
      expect([name, ...numberFaults(payloads, written)]).toEqual([name]);
    }
    expect(await relay.log()).not.toMatch(/"(second|third)"/);
    expect(relay.running).toBe(true);
  }, 300_000);
});
