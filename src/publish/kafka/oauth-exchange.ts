import { RelayError } from '../../core/errors.ts';

/** What a client says first by SASL OAUTHBEARER: RFC 7628, section 3.1. */
export function oauthInitialResponse(token: string, extensions: Readonly<Record<string, string>>): Buffer {
  const fields = Object.entries(extensions).map(([name, value]) => `\x01${name}=${value}`);
  return Buffer.from(`n,,\x01auth=Bearer ${token}${fields.join('')}\x01\x01`);
}

/** The error in a broker's answer to a token: empty when it takes it, else it says why not (RFC 7628, section 3.2.2). */
export function refusedToken(answer: Uint8Array): RelayError | null {
  if (answer.length === 0) return null;
  return new RelayError('broker_authentication', 'SASL OAUTHBEARER: the broker refuses the token', {
    remedy:
      'Check the token: issuer, audience, scope and expiry must be what the broker expects; its log says what it misses.',
  });
}
