import { isIP } from 'node:net';
import type { BaseOptions } from '@platformatic/kafka';
import { current } from '../../core/renewal.ts';
import { tlsOptions } from '../tls.ts';
import { refusedToken } from './oauth-exchange.ts';
import { bearerTokens } from './oauth-tokens.ts';
import type { KafkaOptions } from './options.ts';

/**
 * How `@platformatic/kafka` reaches the cluster, as producer or otherwise, with the credentials of this moment. A new
 * object each time: the library writes into it.
 *
 * @throws RelayError `credentials_unusable`
 */
export function connectionOptions(options: KafkaOptions): BaseOptions {
  const { brokers, clientId, tls, requestTimeoutMs, connectTimeoutMs } = current(options);
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    autocreateTopics: false,
    ...(tls === null ? {} : { tls: tlsOptions(tls), tlsServerName: tls.servername ?? brokers.every(isNamed) }),
    ...saslOptions(options),
  };
}

/** The library asks for user, password and token at each login: also when a broker wants one again on the same connection. */
function saslOptions(options: KafkaOptions): Pick<BaseOptions, 'sasl'> {
  const { sasl } = options;
  if (sasl === null) return {};
  if (sasl.mechanism !== 'OAUTHBEARER') {
    const login = (field: 'username' | 'password') => () => {
      const latest = current(options).sasl ?? sasl;
      return latest.mechanism === 'OAUTHBEARER' ? sasl[field] : latest[field];
    };
    return { sasl: { mechanism: sasl.mechanism, username: login('username'), password: login('password') } };
  }
  return {
    sasl: {
      mechanism: sasl.mechanism,
      token: options.bearerToken ?? bearerTokens(options),
      oauthBearerExtensions: { ...sasl.extensions },
      // the library does not look at the answer by itself
      authBytesValidator: (answer, callback) => callback(refusedToken(answer), answer),
    },
  };
}

/** Whether a broker's host is a name: the server name indication of TLS must not be an address. */
function isNamed(broker: string): boolean {
  return isIP(broker.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')) === 0;
}
