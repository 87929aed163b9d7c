import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { PublisherSession } from '../../src/core/publisher.ts';
import { KAFKA_DEFAULTS, type KafkaOptions } from '../../src/publish/kafka/options.ts';
import { createKafkaPublisher } from '../../src/publish/kafka/publisher.ts';
import { unsignedToken } from '../support/services/kafka-properties.ts';
import { startKafka, type StartedKafka } from '../support/services/kafka.ts';
import { CLIENT_REQUEST, ELSEWHERE_REQUEST, SERVER_REQUEST } from '../support/services/tls.ts';
import { startTokenEndpoint } from '../support/token-endpoint.ts';
import { PublisherRecorder } from './publisher-recorder.ts';
import { outgoing, type PublisherTarget } from './publisher-suite.ts';

const missing = 'missing' in inject('services').kafka;
const kafka: StartedKafka | null = missing ? null : await startKafka({ listeners: ['tls', 'sasl-tls'] });

afterAll(() => kafka?.dispose());

function broker(): StartedKafka {
  if (kafka === null) throw new Error('Kafka is missing');
  return kafka;
}

async function newTopic(): Promise<Pick<PublisherTarget, 'address'>> {
  const topic = `test-${randomUUID()}`;
  await broker().createTopic(topic);
  return { address: { kind: 'topic', topic } };
}

function open(more: Partial<KafkaOptions>, recorder = new PublisherRecorder()): Promise<PublisherSession> {
  const options = { ...KAFKA_DEFAULTS, brokers: [], requestTimeoutMs: 4_000, retryForMs: 2_000, ...more };
  return createKafkaPublisher(options).open(recorder, AbortSignal.timeout(30_000));
}

async function withSession(
  more: Partial<KafkaOptions>,
  use: (session: PublisherSession, recorder: PublisherRecorder) => Promise<void>,
): Promise<void> {
  const recorder = new PublisherRecorder();
  const session = await open(more, recorder);
  try {
    await use(session, recorder);
  } finally {
    await session.close(1_000);
  }
}

/** What `check` finds about the cluster: `ok`, or the remedy. */
async function checked(more: Partial<KafkaOptions>): Promise<string> {
  const publisher = createKafkaPublisher({
    ...KAFKA_DEFAULTS,
    requestTimeoutMs: 4_000,
    retryForMs: 2_000,
    brokers: [],
    ...more,
  });
  const [finding] = await publisher.check([], AbortSignal.timeout(30_000));
  return finding?.remedy ?? finding?.status ?? 'nothing';
}

/** What a login comes to: `open`, or the code and the remedy of the error. */
async function outcome(more: Partial<KafkaOptions>): Promise<string> {
  try {
    await (await open(more)).close(1_000);
    return 'open';
  } catch (error) {
    return error instanceof RelayError ? `${error.code}: ${error.remedy}` : String(error);
  }
}

describe.skipIf(missing).each(['direct', 'platformatic', 'kafkajs'] as const)('security of Kafka (%s)', (driver) => {
  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('SASL %s over TLS', async (mechanism) => {
    const secured = {
      brokers: [...broker().addresses['sasl-tls']],
      tls: { rejectUnauthorized: true, checkHostname: true, ca: broker().certificates.ca },
      sasl: { mechanism, ...broker().credentials },
    };
    await withSession({ driver, ...secured }, async (session, recorder) => {
      const target = await newTopic();
      session.enqueue([outgoing(target)]);
      await recorder.ackedCount(1);
    });
    const wrong = { ...secured.sasl, password: 'not the password' };
    await expect(open({ driver, ...secured, sasl: wrong })).rejects.toMatchObject({ code: 'broker_authentication' });
    await expect(open({ driver, ...secured, sasl: wrong })).rejects.not.toThrow(/not the password/);
  });

  test('certificates that do not do: it is said which side refuses, and what to mend', async () => {
    const { certificates } = broker();
    const { ca, client } = certificates;
    const tls = { rejectUnauthorized: true, checkHostname: true, ca, ...client };
    const brokers = [...broker().addresses.tls];
    const here = { driver, brokers };
    await withSession({ driver, brokers, tls }, async (session, recorder) => {
      session.enqueue([outgoing(await newTopic())]);
      await recorder.ackedCount(1);
    });
    expect(await outcome({ ...here, tls: { ...tls, ca: undefined } })).toMatch(/^broker_tls: Set .*ca to/);
    expect(await outcome({ ...here, tls: { ...tls, servername: 'elsewhere' } })).toMatch(/^broker_tls: .*servername/);
    const without = { ...tls, cert: undefined, key: undefined };
    expect(await outcome({ ...here, tls: without })).toMatch(/^broker_client_certificate: /);
    expect(await checked({ ...here, tls: without })).toMatch(/certificate/);
    expect(await checked({ ...here, tls })).toBe('ok');
    const expired = await certificates.issue({ ...CLIENT_REQUEST, validDays: [-2, -1] });
    expect(await outcome({ ...here, tls: { ...tls, ...expired } })).toMatch(/^broker_client_certificate: /);
    expect(await outcome({ ...here, tls: { ...tls, key: expired.key } })).toMatch(/^credentials_unusable: /);
  });

  test('a broker that shows an expired certificate, one that is not valid yet, or one for another host is refused', async () => {
    const { certificates } = broker();
    const { ca, client, server } = certificates;
    const tls = { rejectUnauthorized: true, checkHostname: true, ca, ...client };
    const here = { driver, brokers: [...broker().addresses.tls] };
    try {
      await broker().presentCertificate(await certificates.issue({ ...SERVER_REQUEST, validDays: [-2, -1] }));
      expect(await outcome({ ...here, tls })).toMatch(/^broker_tls: The server's certificate.* has expired/);
      await broker().presentCertificate(await certificates.issue({ ...SERVER_REQUEST, validDays: [1, 2] }));
      expect(await outcome({ ...here, tls })).toMatch(/^broker_tls: .*is not valid yet/);
      await broker().presentCertificate(await certificates.issue(ELSEWHERE_REQUEST));
      expect(await outcome({ ...here, tls })).toMatch(/^broker_tls: .*servername/);
      expect(await outcome({ ...here, tls: { ...tls, servername: 'broker.example' } })).toBe('open');
    } finally {
      await broker().presentCertificate(server);
    }
    expect(await outcome({ ...here, tls })).toBe('open');
  });

  test('SASL OAUTHBEARER: tokens of an endpoint, and one that is refused', async () => {
    await using endpoint = await startTokenEndpoint(() => ({
      body: { access_token: unsignedToken(300), expires_in: 300 },
    }));
    const oauth = {
      tokenUrl: endpoint.url,
      clientId: 'relay',
      clientSecret: 'very secret',
      scope: null,
      audience: null,
      tls: null,
    };
    const bearer = { mechanism: 'OAUTHBEARER', extensions: {} } as const;
    const secured = {
      driver,
      brokers: [...broker().addresses['sasl-tls']],
      tls: { rejectUnauthorized: true, checkHostname: true, ca: broker().certificates.ca },
    };
    const byEndpoint = { ...secured, sasl: { ...bearer, token: null, oauth } };
    await withSession(byEndpoint, async (session, recorder) => {
      session.enqueue([outgoing(await newTopic())]);
      await recorder.ackedCount(1);
    });
    expect(endpoint.requests).toHaveLength(1);
    endpoint.answer = () => ({ status: 401, body: { error: 'invalid_client' } });
    await expect(open(byEndpoint)).rejects.toMatchObject({ code: 'oauth_refused' });
    const expired = { ...secured, sasl: { ...bearer, token: unsignedToken(-120), oauth: null } };
    await expect(open(expired)).rejects.toMatchObject({ code: 'broker_authentication' });
    await withSession({ ...secured, sasl: { ...bearer, token: unsignedToken(300), oauth: null } }, () =>
      Promise.resolve(),
    );
  });
});
