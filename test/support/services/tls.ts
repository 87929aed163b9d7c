import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { removeScratchFolder, scratchFolder } from './scratch.ts';

const run = promisify(execFile);

/** A certificate and its private key (PKCS#8), as PEM texts. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What is asked of an authority. */
export interface CertificateRequest {
  readonly commonName: string;
  /** In the form of OpenSSL: `extendedKeyUsage=clientAuth`. */
  readonly extension: string;
  /** Days from now, negative for the past, between which it is valid. @default [-1, 2] */
  readonly validDays?: readonly [from: number, to: number];
  /** Encrypts the key. */
  readonly passphrase?: string;
}

/** A certificate authority made for one test, and what it signed. */
export interface Certificates {
  /** The authority's certificate. */
  readonly ca: string;
  /** For `localhost` and `127.0.0.1`. */
  readonly server: KeyPair;
  /** For a client that shows who it is; common name `client`. */
  readonly client: KeyPair;
  /** Signs another one. */
  issue(request: CertificateRequest): Promise<KeyPair>;
  /** The list that takes these certificates back, as PEM text. */
  revocationList(...certs: readonly string[]): Promise<string>;
}

/** What every test's server and client ask for. */
export const SERVER_REQUEST: CertificateRequest = {
  commonName: 'localhost',
  extension: 'subjectAltName=DNS:localhost,IP:127.0.0.1',
};
/** For a server that is not where the tests' servers are. */
export const ELSEWHERE_REQUEST: CertificateRequest = {
  commonName: 'broker.example',
  extension: 'subjectAltName=DNS:broker.example',
};
export const CLIENT_REQUEST: CertificateRequest = { commonName: 'client', extension: 'extendedKeyUsage=clientAuth' };

/** Makes a new certificate authority, and a server's and a client's certificate of it, valid for two days. */
export async function makeCertificates(): Promise<Certificates> {
  const authority = await inScratchFolder(async (folder, openssl) => {
    await newKey(openssl, 'ca');
    await openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      'ca.key',
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
      '-out',
      'ca.crt',
    );
    return {
      cert: await readFile(join(folder, 'ca.crt'), 'utf8'),
      key: await readFile(join(folder, 'ca.key'), 'utf8'),
    };
  });
  const issue = (request: CertificateRequest) => signed(authority, request);
  return {
    ca: authority.cert,
    server: await issue(SERVER_REQUEST),
    client: await issue(CLIENT_REQUEST),
    issue,
    revocationList: (...certs) => revoked(authority, certs),
  };
}

type OpenSsl = (...args: readonly string[]) => Promise<unknown>;

async function inScratchFolder<T>(work: (folder: string, openssl: OpenSsl) => Promise<T>): Promise<T> {
  const folder = await scratchFolder('tls');
  try {
    return await work(folder, (...args) => run('openssl', args, { cwd: folder }));
  } finally {
    await removeScratchFolder(folder);
  }
}

const NEW_KEY = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];

async function newKey(openssl: OpenSsl, name: string, passphrase?: string): Promise<void> {
  const encryption = passphrase === undefined ? [] : ['-aes256', '-pass', `pass:${passphrase}`];
  await openssl(...NEW_KEY, ...encryption, '-out', `${name}.key`);
}

/** `openssl x509` cannot date a certificate back, `openssl ca` can; and it keeps lists of what was taken back. */
async function writeAuthority(folder: string, { cert, key }: KeyPair): Promise<void> {
  await writeFile(join(folder, 'ca.crt'), cert);
  await writeFile(join(folder, 'ca.key'), key, { mode: 0o600 });
  await writeFile(join(folder, 'index.txt'), '');
  await writeFile(
    join(folder, 'ca.cnf'),
    `[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_crl_days = 2
policy = any
[any]
commonName = supplied
`,
  );
}

function signed(authority: KeyPair, request: CertificateRequest): Promise<KeyPair> {
  const { commonName, extension, validDays = [-1, 2], passphrase } = request;
  return inScratchFolder(async (folder, openssl) => {
    await writeAuthority(folder, authority);
    await newKey(openssl, 'own', passphrase);
    await writeFile(join(folder, 'own.ext'), `${extension}\n`);
    const passin = passphrase === undefined ? [] : ['-passin', `pass:${passphrase}`];
    await openssl('req', '-new', '-key', 'own.key', ...passin, '-subj', `/CN=${commonName}`, '-out', 'own.csr');
    const [from, to] = validDays.map(openSslTime);
    const dates = ['-startdate', from ?? '', '-enddate', to ?? ''];
    const files = ['-in', 'own.csr', '-extfile', 'own.ext', '-out', 'own.crt'];
    await openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...dates, ...files);
    const read = (suffix: string) => readFile(join(folder, `own.${suffix}`), 'utf8');
    return { cert: await read('crt'), key: await read('key') };
  });
}

function revoked(authority: KeyPair, certs: readonly string[]): Promise<string> {
  return inScratchFolder(async (folder, openssl) => {
    await writeAuthority(folder, authority);
    for (const cert of certs) {
      await writeFile(join(folder, 'revoked.crt'), cert);
      await openssl('ca', '-config', 'ca.cnf', '-revoke', 'revoked.crt');
    }
    await openssl('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'list.crl');
    return readFile(join(folder, 'list.crl'), 'utf8');
  });
}

/** YYYYMMDDHHMMSSZ. */
function openSslTime(daysFromNow: number): string {
  const time = new Date(Date.now() + daysFromNow * 86_400_000).toISOString();
  return `${time.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
}
