import type { ConnectionOptions } from 'node:tls';
import type { ErrorCode } from '../core/error-catalogue.ts';
import { RelayError } from '../core/errors.ts';
import type { TlsOptions } from '../core/tls.ts';
import { tlsFault, type TlsFault } from '../tls/fault.ts';
import { secureContext } from '../tls/secure-context.ts';

/** How remedies name the section, unless it is another one: whose it is stands in the message. */
const OPTION = "the destination's tls";

/**
 * The options of Node's TLS for a destination's.
 *
 * @throws RelayError `credentials_unusable`
 */
export function tlsOptions(tls: TlsOptions, option = OPTION): ConnectionOptions {
  return {
    secureContext: secureContext(tls, option),
    rejectUnauthorized: tls.rejectUnauthorized,
    ...(tls.checkHostname ? {} : { checkServerIdentity: () => undefined }),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
  };
}

const CODES: Readonly<Record<TlsFault['kind'], ErrorCode>> = {
  'server-certificate': 'broker_tls',
  'client-certificate': 'broker_client_certificate',
  handshake: 'broker_tls',
};

/** The error of a connection to a broker that TLS keeps from coming about; null when the code is none of TLS. */
export function brokerTlsError(code: unknown, message: string, cause: unknown, option = OPTION): RelayError | null {
  const fault = tlsFault(code, option);
  return fault === null ? null : new RelayError(CODES[fault.kind], message, { cause, remedy: fault.remedy });
}
