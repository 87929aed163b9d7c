import { describe, expect, it } from 'vitest';
import { tlsFault } from '../../src/tls/fault.ts';

describe('what a code of TLS says', () => {
  it.each([
    ['CERT_HAS_EXPIRED', 'server-certificate', /has expired: renew it there/],
    ['CERT_NOT_YET_VALID', 'server-certificate', /clocks of both hosts/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'server-certificate', /some\.tls\.servername/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'server-certificate', /some\.tls\.ca/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'server-certificate', /some\.tls\.ca/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'server-certificate', /some\.tls\.ca/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'server-certificate', /some\.tls\.ca/],
    ['CERT_REVOKED', 'server-certificate', /revoked/],
    // as OpenSSL names the alerts up to 3.1, and since 3.2
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'client-certificate', /relay's certificate has expired/],
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', 'client-certificate', /relay's certificate has expired/],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', 'client-certificate', /revoked/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'client-certificate', /set some\.tls\.cert and some\.tls\.key/],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'client-certificate', /does not know the authority/],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN', 'client-certificate', /server's log/],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'client-certificate', /server's log/],
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'client-certificate', /server's log/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'handshake', /TLS is spoken/],
    ['EPROTO', 'handshake', /TLS is spoken/],
  ] as const)('%s: %s', (code, kind, remedy) => {
    const fault = tlsFault(code, 'some.tls');
    expect(fault).toMatchObject({ kind });
    expect(fault?.remedy).toMatch(remedy);
  });

  it.each(['ECONNRESET', 'ETIMEDOUT', '28P01', 'UNABLE', 403, undefined])('nothing: %s', (code) => {
    expect(tlsFault(code, 'some.tls')).toBeNull();
  });
});
