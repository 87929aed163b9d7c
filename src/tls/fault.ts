/**
 * What the codes of Node and OpenSSL say about a connection over TLS that does not come about.
 *
 * - `server-certificate`: the relay does not accept the server's
 * - `client-certificate`: the server does not accept the relay's, or misses it
 * - `handshake`: neither; the two do not understand each other
 */
export interface TlsFault {
  readonly kind: 'server-certificate' | 'client-certificate' | 'handshake';
  /** How to mend it. */
  readonly remedy: string;
}

type Remedy = (option: string) => string;

const UNTRUSTED: Remedy = (option) =>
  `Set ${option}.ca to the certificate of the authority that signed the server's; the server must send the certificates between the two.`;
const OTHER_NAME: Remedy = (option) =>
  `Connect by a name that is in the server's certificate, or set ${option}.servername to one that is.`;

/** What Node says of the server's certificate. */
const SERVER: Readonly<Record<string, Remedy>> = {
  CERT_HAS_EXPIRED: () =>
    "The server's certificate, or its authority's, has expired: renew it there. Nothing is to be changed here, unless the clock of this host is wrong.",
  CERT_NOT_YET_VALID: () =>
    "The server's certificate is not valid yet: compare the clocks of both hosts, or look at its dates.",
  CERT_REVOKED: () => "The server's certificate has been revoked: replace it there.",
  ERR_TLS_CERT_ALTNAME_INVALID: OTHER_NAME,
  HOSTNAME_MISMATCH: OTHER_NAME,
};
const SERVER_CODE = /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA$|INVALID_PURPOSE$)/;

/** The alerts by which a server refuses a client's certificate (RFC 8446, section 6.2), as OpenSSL names them. */
const CLIENT: readonly (readonly [RegExp, Remedy])[] = [
  [/ALERT_CERTIFICATE_EXPIRED$/, (option) => `The relay's certificate has expired: ${renew(option)}`],
  [/ALERT_CERTIFICATE_REVOKED$/, (option) => `The relay's certificate has been revoked: ${renew(option)}`],
  [
    /ALERT_CERTIFICATE_REQUIRED$/,
    (option) => `The server asks for a certificate of the relay: set ${option}.cert and ${option}.key.`,
  ],
  [
    /ALERT_UNKNOWN_CA$/,
    (option) => `The server does not know the authority of the relay's certificate: add it there, or ${renew(option)}`,
  ],
  [
    /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_UNKNOWN|ACCESS_DENIED|DECRYPT_ERROR|HANDSHAKE_FAILURE)$/,
    (option) =>
      `The server refuses the relay's certificate, or misses one: look at the server's log, and at ${option}.cert and ${option}.key.`,
  ],
];
const HANDSHAKE_CODE = /^(ERR_(SSL|TLS|OSSL)_|EPROTO$)/;

function renew(option: string): string {
  return `replace ${option}.cert and ${option}.key; files are read again with the next attempt.`;
}

/**
 * What an error code says; null when it is none of TLS.
 *
 * @param option the section to name in remedies: `postgres.tls`
 */
export function tlsFault(code: unknown, option: string): TlsFault | null {
  if (typeof code !== 'string') return null;
  const server = SERVER[code] ?? (SERVER_CODE.test(code) ? UNTRUSTED : undefined);
  if (server !== undefined) return { kind: 'server-certificate', remedy: server(option) };
  const client = CLIENT.find(([alert]) => alert.test(code))?.[1];
  if (client !== undefined) return { kind: 'client-certificate', remedy: client(option) };
  if (!HANDSHAKE_CODE.test(code)) return null;
  return {
    kind: 'handshake',
    remedy: `Check that TLS is spoken on this port, by TLS 1.2 or later; without TLS there, leave ${option} out.`,
  };
}
