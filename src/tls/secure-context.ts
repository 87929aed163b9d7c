import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { describeError, RelayError } from '../core/errors.ts';

/**
 * Makes of certificates and key what connections are made with. Done before connecting, since a client library that meets
 * a key it cannot use throws where nobody catches.
 *
 * @param option the section they come from, for the message: `postgres.tls`
 * @throws RelayError `credentials_unusable` when certificate, key and passphrase do not belong together
 */
export function secureContext({ ca, cert, key, passphrase }: SecureContextOptions, option: string): SecureContext {
  try {
    return createSecureContext({ ca, cert, key, passphrase });
  } catch (cause) {
    throw new RelayError('credentials_unusable', `${option} cannot be used: ${describeError(cause)}`, {
      cause,
      remedy: `Correct ${option}: cert and key must belong together, and passphrase to the key. Files are read again with the next attempt.`,
    });
  }
}
