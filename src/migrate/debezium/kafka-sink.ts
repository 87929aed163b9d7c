import { optionText, optionValue, type Reading, secretText, secretValue } from './value.ts';

const PREFIX = 'sink.kafka.producer.';

/** What a producer is told, and what becomes of it here. */
const NOTHING_TO_DO: Readonly<Record<string, string>> = {
  acks: 'always all: a message counts as published when every in-sync replica has it',
  'enable.idempotence': 'always on',
  retries: 'a batch is tried again for `retryFor`, and then from the table: without end',
  'max.in.flight.requests.per.connection': 'always one request: order is kept whatever fails',
  'linger.ms': 'nothing is waited for: a request carries what is there',
  'batch.size': '`batchBytes` bounds a request for one partition',
  'buffer.memory': '`limits.memory` bounds all that is in flight',
  'delivery.timeout.ms': '`retryFor`; after it the table is read anew: without end',
  'max.block.ms': 'connecting is tried again without end',
  'key.serializer': 'the format says what is sent',
  'value.serializer': 'the format says what is sent',
};

/** The destination of type kafka. */
export function readKafkaSink(reading: Reading): Readonly<Record<string, unknown>> {
  const { settings, findings } = reading;
  const option = (name: string): string | undefined => optionValue(`${PREFIX}${name}`, reading);
  const clientId = option('client.id');
  const protocol = (settings.text(`${PREFIX}security.protocol`) ?? 'PLAINTEXT').toUpperCase();
  const timeout = settings.text(`${PREFIX}request.timeout.ms`);
  const tls = protocol.endsWith('SSL') ? readTls(reading) : null;
  const sasl = protocol.startsWith('SASL') ? readSasl(reading) : null;
  const wait = 'sink.kafka.wait.message.delivery.timeout.ms';
  if (settings.text(wait) !== undefined) findings.ok(settings.nameOf(wait), 'a batch is tried again for `retryFor`');
  for (const [name, meaning] of Object.entries(NOTHING_TO_DO))
    if (settings.text(`${PREFIX}${name}`) !== undefined) findings.ok(settings.nameOf(`${PREFIX}${name}`), meaning);
  return {
    type: 'kafka',
    brokers: readBrokers(reading),
    ...(clientId !== undefined && { clientId }),
    ...(tls !== null && { tls }),
    ...(sasl !== null && { sasl }),
    ...readCompression(reading),
    ...readSizes(reading),
    ...(timeout !== undefined && { requestTimeout: `${Math.min(300_000, Math.max(1000, Number(timeout)))}ms` }),
  };
}

function readBrokers(reading: Reading): string {
  const brokers = optionValue(`${PREFIX}bootstrap.servers`, reading);
  if (brokers !== undefined) return brokers.replace(/[A-Z_]+:\/\//g, '');
  reading.findings.warning(
    `${PREFIX}bootstrap.servers`,
    'the brokers are not said (a connector has them from its worker); the file has ${KAFKA_BROKERS} instead',
    'Give them to the relay as the environment variable KAFKA_BROKERS, or write them there.',
  );
  return '${KAFKA_BROKERS}';
}

function readCompression({ settings, findings }: Reading): { readonly compression?: string } {
  const name = `${PREFIX}compression.type`;
  const type = settings.text(name);
  if (type === undefined) return {};
  if (['none', 'gzip', 'snappy', 'lz4'].includes(type)) return { compression: type };
  findings.warning(settings.nameOf(name), `the relay has no ${type}; the file has lz4, which consumers take as well`);
  return { compression: 'lz4' };
}

/** One message may be as large as a request. */
function readSizes({ settings, findings }: Reading): { readonly requestBytes?: string; readonly batchBytes?: string } {
  const name = `${PREFIX}max.request.size`;
  const size = settings.text(name);
  if (size === undefined) return {};
  findings.ok(settings.nameOf(name), '`requestBytes` bounds one request; larger messages are refused and parked');
  const bytes = Math.min(100_000_000, Math.max(1000, Number(size)));
  return { requestBytes: `${bytes}B`, ...(bytes < 900_000 && { batchBytes: `${bytes}B` }) };
}

function readTls(reading: Reading): Readonly<Record<string, string>> {
  const { settings, findings } = reading;
  const pem = (kind: string): string | undefined => {
    const inline = optionValue(`${PREFIX}ssl.${kind}.certificates`, reading);
    const location = optionValue(`${PREFIX}ssl.${kind}.location`, reading);
    const type = settings.text(`${PREFIX}ssl.${kind}.type`) ?? 'JKS';
    // of a store for Java; a file in PEM form has none
    settings.settle(`${PREFIX}ssl.${kind}.password`);
    if (location === undefined || type.toUpperCase() === 'PEM') return inline ?? location;
    findings.error(
      settings.nameOf(`${PREFIX}ssl.${kind}.location`),
      `a ${type} store is for Java: the relay reads PEM`,
      'keytool -importkeystore -srckeystore FILE -destkeystore store.p12 -deststoretype PKCS12, then openssl pkcs12 -in store.p12 -out store.pem; name it with ssl.*.type=PEM.',
    );
    return undefined;
  };
  const ca = pem('truststore');
  const store = pem('keystore');
  const cert = optionValue(`${PREFIX}ssl.keystore.certificate.chain`, reading) ?? store;
  const key = secretValue(`${PREFIX}ssl.keystore.key`, 'KAFKA_CLIENT_KEY', reading) ?? store;
  const passphrase = secretValue(`${PREFIX}ssl.key.password`, 'KAFKA_KEY_PASSPHRASE', reading);
  const algorithm = `${PREFIX}ssl.endpoint.identification.algorithm`;
  const unnamed = settings.nameOf(algorithm) !== algorithm && settings.text(algorithm) === undefined;
  return {
    mode: unnamed ? 'verify-ca' : 'verify-full',
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
  };
}

function readSasl(reading: Reading): Readonly<Record<string, string>> {
  const { settings, findings } = reading;
  const mechanism = (settings.text(`${PREFIX}sasl.mechanism`) ?? 'GSSAPI').toUpperCase();
  const jaas = `${PREFIX}sasl.jaas.config`;
  const written = settings.text(jaas) ?? '';
  if (!['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].includes(mechanism)) {
    findings.error(
      settings.nameOf(`${PREFIX}sasl.mechanism`),
      mechanism === 'OAUTHBEARER'
        ? 'where tokens come from has to be said anew'
        : `the relay does not log in by ${mechanism}`,
      mechanism === 'OAUTHBEARER'
        ? 'Write `sasl.oauth` or `sasl.token` of the destination: see security.md.'
        : 'Give the relay a user of SCRAM-SHA-512, or a client certificate.',
    );
    return { mechanism, username: '${KAFKA_USERNAME}', password: '${KAFKA_PASSWORD}' };
  }
  const login = loginOptions(written);
  const username = login.get('username');
  if (username === undefined)
    findings.warning(
      settings.nameOf(jaas),
      'it does not say itself who logs in; the file has ${KAFKA_USERNAME} instead',
      'Give it to the relay as the environment variable KAFKA_USERNAME, or write it there.',
    );
  return {
    mechanism,
    username: optionText(username ?? '${KAFKA_USERNAME}', { name: jaas, variable: 'KAFKA_USERNAME' }, reading),
    password: secretText(login.get('password') ?? '', { name: jaas, variable: 'KAFKA_PASSWORD' }, reading),
  };
}

const LOGIN_OPTION = /\s(username|password)\s*=\s*(?:(["'])((?:\\.|(?!\2)[^\\])*)\2|([^\s;"']+))/g;

/** By name, of a configuration of JAAS: `x.PlainLoginModule required username="..." password="...";`. */
function loginOptions(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(LOGIN_OPTION)].map(([, name = '', , quoted, bare = '']) => [
      name,
      quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1'),
    ]),
  );
}
