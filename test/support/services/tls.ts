import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { removeScratchFolder, scratchFolder } from './scratch.ts';

const run = promisify(execFile);

/** A certificate and its private key (PKCS#8), as PEM texts. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority made for one test, and what it signed. */
export interface Certificates {
  /** The authority's certificate. */
  readonly ca: string;
  /** For `localhost` and `127.0.0.1`. */
  readonly server: KeyPair;
  /** For a client that shows who it is; common name `client`. */
  readonly client: KeyPair;
}

/** Makes a new certificate authority, and a server's and a client's certificate of it, valid for two days. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await scratchFolder('tls');
  try {
    const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
    await newKey(folder, 'ca');
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
    const server = await signed(folder, 'server', 'localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const client = await signed(folder, 'client', 'client', 'extendedKeyUsage=clientAuth');
    return { ca: await readFile(join(folder, 'ca.crt'), 'utf8'), server, client };
  } finally {
    await removeScratchFolder(folder);
  }
}

async function newKey(folder: string, name: string): Promise<void> {
  const algorithm = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  await run('openssl', ['genpkey', ...algorithm, '-out', `${name}.key`], { cwd: folder });
  await chmod(join(folder, `${name}.key`), 0o600);
}

async function signed(folder: string, name: string, commonName: string, extension: string): Promise<KeyPair> {
  await newKey(folder, name);
  await writeFile(join(folder, `${name}.ext`), `${extension}\n`);
  const options = { cwd: folder };
  await run(
    'openssl',
    ['req', '-new', '-key', `${name}.key`, '-subj', `/CN=${commonName}`, '-out', `${name}.csr`],
    options,
  );
  const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.crt`];
  await run('openssl', ['x509', '-req', ...authority, ...files], options);
  const read = (suffix: string) => readFile(join(folder, `${name}.${suffix}`), 'utf8');
  return { cert: await read('crt'), key: await read('key') };
}
