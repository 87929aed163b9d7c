import { describe, expect, it } from 'vitest';
import { loadConfig, type Config } from '../../src/config/index.ts';
import { current } from '../../src/core/renewal.ts';
import { failure, load, MINIMAL } from './config-support.ts';

const TOKEN = '0123456789abcdef';
const PEM = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----`;

describe('the token of the admin port', () => {
  it('is given as it is, or by a file', () => {
    expect(load(`${MINIMAL}admin: { token: ${TOKEN} }`).admin.token).toBe(TOKEN);
    expect(load(`${MINIMAL}admin: { tokenFile: /token }`, {}, { '/token': `${TOKEN}\n` }).admin.token).toBe(TOKEN);
    expect(load(MINIMAL).admin.token).toBeNull();
  });

  it.each([
    ['admin: { token: short }', {}, 'admin.token'],
    ['admin: { token: "with blanks in its middle" }', {}, 'admin.token'],
    [`admin: { token: ${TOKEN}, tokenFile: /token }`, { '/token': TOKEN }, 'admin.tokenFile'],
    ['admin: { tokenFile: /token }', {}, 'admin.tokenFile'],
    ['admin: { tokenFile: /token }', { '/token': 'short' }, 'admin.tokenFile'],
    ['admin: { tls: { cert: /c } }', { '/c': PEM('c') }, 'admin.tls.key'],
    ['admin: { tls: { cert: /c, key: /k } }', { '/c': PEM('c') }, 'admin.tls.key'],
  ])('%s is refused', (yaml, files, option) => {
    expect(failure(`${MINIMAL}${yaml}`, {}, files as unknown as Record<string, string>)).toContain(`- ${option} `);
  });

  it.each([
    ['host: 0.0.0.0', true],
    ['host: "::"', true],
    ['host: relay.example', true],
    [`host: 0.0.0.0, token: ${TOKEN}`, false],
    ['host: 127.0.0.2', false],
    ['host: localhost', false],
    ['host: "::1"', false],
  ])('is missed where others reach the port: %s: %s', (admin, warned) => {
    expect(load(`${MINIMAL}admin: { ${admin} }`).warnings.some((line) => line.startsWith('admin.host'))).toBe(warned);
  });
});

describe('credentials that are replaced in their files', () => {
  const YAML = `
postgres: { url: "postgres://relay:\${file:/password}@db/shop", tls: { ca: /ca } }
destinations:
  kafka: { type: kafka, brokers: "k:9092", sasl: { mechanism: PLAIN, username: "\${file:/user}", password: p }, batchRows: "\${file:/rows}" }
  rabbit: { type: rabbitmq, host: h, user: "\${file:/user}", password: "\${file:/password}", tls: { ca: /ca } }
routes: [{ destination: kafka }]
admin: { tokenFile: /token }
`;
  const files: Record<string, string> = {};
  const readFile = (path: string): string => {
    const content = path === 'relay.yaml' ? YAML : files[path];
    if (content === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
    return content;
  };
  const loaded = (): Config => {
    Object.assign(files, { '/password': 'old', '/user': 'ann', '/rows': '10', '/ca': PEM('old'), '/token': TOKEN });
    return loadConfig({ file: 'relay.yaml', env: {}, readFile });
  };

  it('are new when they are looked up again; everything else stays', () => {
    const { postgres, destinations, admin } = loaded();
    const token = 'another-token-of-16';
    Object.assign(files, { '/password': 'n%65w', '/user': 'bob', '/rows': '20', '/ca': PEM('new'), '/token': token });
    expect(postgres).toMatchObject({ password: 'old', tls: { ca: PEM('old') } });
    expect(current(postgres)).toMatchObject({ user: 'relay', password: 'new', tls: { ca: PEM('new') } });
    const { kafka, rabbit } = destinations;
    if (kafka?.type !== 'kafka' || rabbit?.type !== 'rabbitmq') throw new Error('unexpected types');
    expect(current(kafka)).toMatchObject({ sasl: { username: 'bob' }, batchRows: 10 });
    expect(current(rabbit)).toMatchObject({ user: 'bob', password: 'n%65w', tls: { ca: PEM('new') } });
    expect(current(admin).token).toBe(token);
  });

  it('tell which file is missing or broken', () => {
    const { postgres } = loaded();
    delete files['/password'];
    expect(() => current(postgres)).toThrow(/postgres\.url .*cannot read \/password \(ENOENT\)/);
    Object.assign(files, { '/password': 'p', '/ca': 'half' });
    expect(() => current(postgres)).toThrow(expect.objectContaining({ code: 'credentials_unusable' }));
  });

  it('are not looked up where no file is read', () => {
    expect(load(MINIMAL).postgres.renewed).toBeUndefined();
  });
});
