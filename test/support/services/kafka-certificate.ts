import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import kafkajs from 'kafkajs';
import type { KeyPair } from './tls.ts';
import { until } from './until.ts';

/** Who is to show another certificate, by their listener `tls`. */
export interface CertificateBearers {
  /** Where the brokers read it. */
  readonly folder: string;
  /** Their ids. */
  readonly nodes: readonly number[];
  /** Of their listeners: `host:port`. */
  readonly listeners: readonly string[];
}

/** Has running brokers show another certificate, and waits until they do. */
export async function presentCertificate(
  admin: kafkajs.Admin,
  { folder, nodes, listeners }: CertificateBearers,
  { cert, key }: KeyPair,
): Promise<void> {
  // a new file each time: of a location that stays the same, not every change is noticed
  const file = join(folder, `server-${randomUUID()}.pem`);
  await writeFile(file, key + cert, { mode: 0o600 });
  const configEntries = [{ name: 'listener.name.tls.ssl.keystore.location', value: file }];
  const type = kafkajs.ConfigResourceTypes.BROKER;
  const resources = nodes.map((node) => ({ type, name: String(node), configEntries }));
  await admin.alterConfigs({ validateOnly: false, resources });
  const { fingerprint256 } = new X509Certificate(cert);
  for (const address of listeners)
    await until(async () => (await shownBy(address)) === fingerprint256, { what: 'the other certificate' });
}

/** The fingerprint of the certificate that is shown there. */
async function shownBy(address: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  // what comes of a missing client certificate comes after the server's
  socket.on('error', () => undefined);
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}
