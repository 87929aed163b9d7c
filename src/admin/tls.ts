import type { ServerOptions } from 'node:https';
import { secureContext } from '../tls/secure-context.ts';

/** The TLS of the admin port, as PEM texts. */
export interface AdminTls {
  readonly cert: string;
  readonly key: string;
  readonly passphrase?: string | undefined;
  /** The authority of clients; absent: they need no certificate. */
  readonly clientCa?: string | undefined;
}

/**
 * The options of Node's TLS server. Clients without a certificate are let in as far as the probes: a kubelet has none.
 *
 * @throws RelayError `credentials_unusable`
 */
export function serverTls(tls: AdminTls): ServerOptions {
  const { clientCa, ...own } = tls;
  const material = { ...own, ...(clientCa === undefined ? {} : { ca: clientCa }) };
  // told here, by its name, rather than by Node
  secureContext(material, 'admin.tls');
  return { ...material, minVersion: 'TLSv1.2', requestCert: clientCa !== undefined, rejectUnauthorized: false };
}

/** Whether two mean the same, so that nothing has to be changed. */
export function sameTls(one: AdminTls | null, other: AdminTls | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
