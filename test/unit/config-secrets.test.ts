import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { optionReference, redactConfig } from '../../src/config/index.ts';
import { failure, load } from './config-support.ts';

const PEM = '-----BEGIN PRIVATE KEY-----\nXXSECRETXX\n-----END PRIVATE KEY-----';
const CERT = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
const TLS = '{ ca: /cert, cert: /cert, key: /key, passphrase: XXSECRETXX }';

const EVERYWHERE = `
postgres: { url: "postgres://u:XXSECRETXX@h/d", tls: ${TLS} }
destinations:
  kafka: { type: kafka, brokers: "k:9092", tls: ${TLS}, sasl: { mechanism: PLAIN, username: u, password: XXSECRETXX } }
  byUrl: { type: rabbitmq, url: "amqps://u:XXSECRETXX@h", tls: ${TLS}, managementUrl: "http://XXSECRETXX:XXSECRETXX@h:15672" }
  byParts: { type: rabbitmq, host: h, user: u, password: XXSECRETXX }
routes: [{ destination: kafka }]
admin: { token: XXSECRETXXSECRETXX, tls: { cert: /cert, key: /key, passphrase: XXSECRETXX, clientCa: /cert } }
tracing: { headers: { api-key: XXSECRETXX }, endpoint: "http://XXSECRETXX:XXSECRETXX@collector:4318" }
`;

describe('secrets', () => {
  it('are not in the printed configuration, while everything else is', () => {
    const config = load(EVERYWHERE, {}, { '/cert': CERT, '/key': PEM });
    expect(JSON.stringify(config)).toContain('XXSECRETXX');
    const printed = JSON.stringify(redactConfig(config));
    expect(printed).not.toContain('XXSECRETXX');
    expect(printed).toContain('"brokers":["k:9092"]');
    expect(printed).toContain('"key":"${aggregateid}"');
    expect(printed).toContain(`[PEM, ${CERT.length} bytes]`);
  });

  it('are marked in the schema: the test above must hold every one', () => {
    const secrets = optionReference().flatMap((section) => section.options.filter((option) => option.secret));
    expect(secrets.map((option) => option.path.join('.'))).toEqual([
      'postgres.url',
      'postgres.password',
      'postgres.tls.key',
      'postgres.tls.passphrase',
      'destinations.NAME.tls.key',
      'destinations.NAME.tls.passphrase',
      'destinations.NAME.sasl.password',
      'destinations.NAME.sasl.token',
      'destinations.NAME.sasl.oauth.clientSecret',
      'destinations.NAME.sasl.oauth.tls.key',
      'destinations.NAME.sasl.oauth.tls.passphrase',
      'destinations.NAME.url',
      'destinations.NAME.password',
      'destinations.NAME.tls.key',
      'destinations.NAME.tls.passphrase',
      'destinations.NAME.managementUrl',
      'admin.token',
      'admin.tls.key',
      'admin.tls.passphrase',
      'tracing.headers',
    ]);
  });

  const malformed: readonly (readonly [string, (secret: string) => string])[] = [
    ['a URL without a scheme', (secret) => `postgres: { url: "u:${secret}@h/d" }`],
    ['a password that is not encoded', (secret) => `postgres: { url: "postgres://u:${secret}@#/@h/d" }`],
    ['a header of the collector', (secret) => `tracing: { headers: { key: [${secret}] } }`],
    ['a bad endpoint', (secret) => `tracing: { endpoint: "http:/u:${secret}@c" }`],
    ['a broken encoding', (secret) => `postgres: { url: "postgres://u:${secret}%zz@h/d" }`],
    ['an unknown parameter', (secret) => `postgres: { url: "postgres://u:${secret}@h/d?x=${secret}" }`],
    ['a bad port', (secret) => `postgres: { url: "postgres://u:${secret}@h:${secret}/d" }`],
    ['a list for a password', (secret) => `postgres: { url: "postgres://u@h/d", password: [${secret}] }`],
    ['a repetition', (secret) => `postgres: { url: "postgres://u:${secret}@h/d", password: ${secret} }`],
    ['a bad AMQP URL', (secret) => `destinations: { r: { type: rabbitmq, url: "amqp//u:${secret}@h" } }`],
    [
      'a bad management URL',
      (secret) => `destinations: { r: { type: rabbitmq, host: h, managementUrl: "u:${secret}@h" } }`,
    ],
    ['a key in place of a file', (secret) => `postgres: { url: "postgres://u@h/d", tls: { mode: ${secret} } }`],
    [
      'a misplaced secret',
      (secret) => `capture: { pollInterval: ${secret}, walBudget: ${secret}, passRows: ${secret} }`,
    ],
    ['an alias by accident', (secret) => `postgres: { password: *${secret} }`],
    ['a tag by accident', (secret) => `postgres: { password: !${secret} }`],
    ['an open quote', (secret) => `postgres: { password: "${secret} }`],
    ['a line that is no option', (secret) => `postgres:\n  ${secret}\n  url: x`],
  ];

  it.each(malformed)('never stand in a message: %s', (_, yaml) => {
    const letters = fc.string({
      unit: fc.constantFrom('q', 'x', 'z', 'Q', 'X', 'Z', '7', '8', '9'),
      minLength: 12,
      maxLength: 20,
    });
    fc.assert(
      fc.property(letters, (random) => {
        const secret = `q${random}`;
        expect(failure(yaml(secret))).not.toContain(secret);
      }),
      { numRuns: 10 },
    );
  });
});
