/** TLS to a server; certificates and key as PEM texts. */
export interface TlsOptions {
  /** Whether the server's certificate must be signed by `ca` (or by an authority that Node.js knows). */
  readonly rejectUnauthorized: boolean;
  /** Whether the certificate must be for the host that is connected to. */
  readonly checkHostname: boolean;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Of the key, where it is encrypted. */
  readonly passphrase?: string | undefined;
  /** The name that the certificate must be for, where it is not the host that is connected to. */
  readonly servername?: string | undefined;
}
