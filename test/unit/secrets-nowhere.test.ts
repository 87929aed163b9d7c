/** Plants a secret in every option that the schema marks as one, and looks for it in all that anybody gets to see. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { createPublisher, loadClients } from '../../src/app/publishers.ts';
import { loadConfig, optionReference, redactConfig, type Config } from '../../src/config/index.ts';
import { describeError } from '../../src/core/errors.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { connectSql } from '../../src/postgres/connection.ts';

/** Nobody listens there. */
const DEAD = '127.0.0.1:1';
const POSTGRES = { url: `postgres://relay@${DEAD}/shop` };
const KAFKA = { type: 'kafka', brokers: DEAD, connectTimeout: '200ms', requestTimeout: '1s' };
const RABBITMQ = { type: 'rabbitmq', host: '127.0.0.1', port: 1, connectTimeout: '200ms' };
const OAUTH = { tokenUrl: 'https://127.0.0.1:1/token', clientId: 'c', clientSecret: 'another' };
const CERT = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

type Tree = Readonly<Record<string, unknown>>;
interface Planted {
  readonly tracing?: Tree;
  readonly postgres?: Tree;
  readonly admin?: Tree;
  readonly destination?: Tree;
}

const pem = (secret: string) => `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`;
const keyPair = (secret: string) => ({ cert: CERT, key: pem(secret) });
const locked = (secret: string) => ({ cert: CERT, key: pem('key'), passphrase: secret });
const bearer = (more: Tree) => ({ destination: { ...KAFKA, sasl: { mechanism: 'OAUTHBEARER', ...more } } });
const parts = { host: '127.0.0.1', port: 1, user: 'relay', database: 'shop' };

/** How each is written, by its path and, for destinations, their type. An option that is new and secret belongs here. */
const PLANTS: Readonly<Record<string, (secret: string) => Planted>> = {
  'postgres.url': (secret) => ({ postgres: { url: `postgres://relay:${encodeURIComponent(secret)}@${DEAD}/shop` } }),
  'postgres.password': (secret) => ({ postgres: { ...parts, password: secret } }),
  'postgres.tls.key': (secret) => ({ postgres: { ...parts, tls: keyPair(secret) } }),
  'postgres.tls.passphrase': (secret) => ({ postgres: { ...parts, tls: locked(secret) } }),
  'kafka tls.key': (secret) => ({ destination: { ...KAFKA, tls: keyPair(secret) } }),
  'kafka tls.passphrase': (secret) => ({ destination: { ...KAFKA, tls: locked(secret) } }),
  'kafka sasl.password': (password) => ({
    destination: { ...KAFKA, sasl: { mechanism: 'PLAIN', username: 'u', password } },
  }),
  'kafka sasl.token': (token) => bearer({ token }),
  'kafka sasl.oauth.clientSecret': (clientSecret) => bearer({ oauth: { ...OAUTH, clientSecret } }),
  'kafka sasl.oauth.tls.key': (secret) => bearer({ oauth: { ...OAUTH, tls: keyPair(secret) } }),
  'kafka sasl.oauth.tls.passphrase': (secret) => bearer({ oauth: { ...OAUTH, tls: locked(secret) } }),
  'rabbitmq url': (secret) => ({
    destination: {
      type: 'rabbitmq',
      url: `amqp://relay:${encodeURIComponent(secret)}@${DEAD}`,
      connectTimeout: '200ms',
    },
  }),
  'rabbitmq password': (password) => ({ destination: { ...RABBITMQ, user: 'u', password } }),
  'rabbitmq tls.key': (secret) => ({ destination: { ...RABBITMQ, tls: keyPair(secret) } }),
  'rabbitmq tls.passphrase': (secret) => ({ destination: { ...RABBITMQ, tls: locked(secret) } }),
  'rabbitmq managementUrl': (secret) => ({
    destination: { ...RABBITMQ, managementUrl: `http://u:${encodeURIComponent(secret)}@${DEAD}` },
  }),
  // of letters and digits only
  'admin.token': (secret) => ({ admin: { token: Buffer.from(secret).toString('hex') } }),
  'admin.tls.key': (secret) => ({ admin: { tls: keyPair(secret) } }),
  'tracing.headers': (secret) => ({ tracing: { headers: { authorization: secret } } }),
  'admin.tls.passphrase': (secret) => ({ admin: { tls: locked(secret) } }),
};

const SPECIAL = 'a Q z X 7 9 @ : / ? # % & = + ; , $ ! * ~ - _ . ( ) \' " \\';

/** Twelve characters and more, so that none is found by chance; with what URLs, JSON and shells treat apart. */
const SECRETS = fc
  .string({ unit: fc.constantFrom(...SPECIAL.split(' '), ' '), minLength: 12, maxLength: 24 })
  .map((text) => `s${text}S`);

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  // without what depends on the neighbours in a longer text
  const base64 = bytes.toString('base64').replace(/=+$/, '').slice(0, -1);
  const escaped = JSON.stringify(secret).slice(1, -1);
  return [secret, encodeURIComponent(secret), encodeURI(secret), base64, bytes.toString('hex'), escaped];
}

function withoutSecret(output: string, secret: string): void {
  for (const form of formsOf(secret)) expect(output).not.toContain(form);
}

function load({ postgres = POSTGRES, admin = {}, tracing = {}, destination = { type: 'console' } }: Planted): Config {
  const tree = JSON.stringify({ postgres, admin, tracing, destinations: { one: destination } });
  // what looks like a placeholder is none
  return loadConfig({ file: 'relay.yaml', env: {}, readFile: () => tree.replaceAll('${', '$${') });
}

/** What a log holds of a value, by both formats. */
async function logged(value: unknown): Promise<string> {
  const outputs = (['json', 'pretty'] as const).map((format) => {
    const stream = new PassThrough();
    createLogger({ format, stream }).error({ error: value, config: value }, 'failed');
    return stream;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return outputs.map((stream) => String(stream.read() ?? '')).join('\n');
}

/** Connects with it to where nobody is. */
async function failures(config: Config): Promise<readonly unknown[]> {
  const { one } = config.destinations;
  if (one === undefined) throw new Error('no destination');
  const findings = one.type === 'console' ? [] : await createPublisher(one, []).check([], AbortSignal.timeout(10_000));
  const refused = await connectSql({ ...config.postgres, connectTimeoutMs: 200 }, 'test').catch(
    (error: unknown) => error,
  );
  return [refused, ...findings];
}

describe('a secret', () => {
  beforeAll(() => loadClients(Object.values(load({ destination: KAFKA }).destinations)), 60_000);

  const marked = optionReference().flatMap(({ title, options }) =>
    options
      .filter(({ secret }) => secret)
      .map(({ path }) => {
        const type = /\((\w+)\)$/.exec(title)?.[1];
        return type === undefined ? path.join('.') : `${type} ${path.slice(2).join('.')}`;
      }),
  );

  it('is planted in every option that the schema marks', () => {
    expect(Object.keys(PLANTS).sort()).toEqual([...marked].sort());
  });

  it.each(Object.entries(PLANTS))(
    'in %s is neither printed nor logged, nor in an error',
    async (_, plant) => {
      await fc.assert(
        fc.asyncProperty(SECRETS, async (secret) => {
          const config = load(plant(secret));
          withoutSecret(JSON.stringify(redactConfig(config)), secret);
          withoutSecret(stringify(redactConfig(config)), secret);
          withoutSecret(await logged(redactConfig(config)), secret);
          for (const failure of await failures(config)) {
            withoutSecret(describeError(failure), secret);
            withoutSecret(JSON.stringify(failure), secret);
            withoutSecret(await logged(failure), secret);
            if (failure instanceof Error) withoutSecret(failure.stack ?? '', secret);
          }
        }),
        { numRuns: 2 },
      );
    },
    60_000,
  );

  it.each([
    ['a URL', (secret: string) => `connect ECONNREFUSED amqp://relay:${encodeURIComponent(secret)}@host`],
    ['a header', (secret: string) => `got authorization: Bearer ${Buffer.from(secret).toString('base64url')}`],
    ['a header of Basic', (secret: string) => `authorization: Basic ${Buffer.from(`u:${secret}`).toString('base64')}`],
    ['an answer', (secret: string) => `unexpected {"access_token":${JSON.stringify(secret)},"x":1}`],
    ['an assignment', (secret: string) => `password=${encodeURIComponent(secret)}`],
  ])('that a library puts into an error as %s is taken out, of causes and stacks too', async (_, message) => {
    await fc.assert(
      fc.asyncProperty(SECRETS, async (secret) => {
        const error = new Error('outer', { cause: new Error(message(secret), { cause: new Error(message(secret)) }) });
        withoutSecret(await logged(error), secret);
        withoutSecret(await logged(new Error(message(secret))), secret);
      }),
      { numRuns: 20 },
    );
  });
});
