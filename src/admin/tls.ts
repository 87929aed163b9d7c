import type { ServerOptions } from 'node:https';
import { describeError, RelayError } from '../core/errors.ts';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

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
  const material: SecureContextOptions = { ...own, ...(clientCa === undefined ? {} : { ca: clientCa }) };
  try {
    createSecureContext(material);
  } catch (cause) {
    throw new RelayError('credentials_unusable', `admin.tls: ${describeError(cause)}`, {
      cause,
      remedy: 'Correct admin.tls: cert and key must belong together, and passphrase to the key.',
    });
  }
  return { ...material, minVersion: 'TLSv1.2', requestCert: clientCa !== undefined, rejectUnauthorized: false };
}

/** Whether two mean the same, so that nothing has to be changed. */
export function sameTls(one: AdminTls | null, other: AdminTls | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
