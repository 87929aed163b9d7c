import type { AuthenticationProviderArgs, KafkaConfig } from 'kafkajs';
import { oauthInitialResponse, refusedToken } from './oauth-exchange.ts';
import type { KafkaOptions } from './options.ts';

/** The login for `kafkajs`. @param bearerToken gives the token of OAUTHBEARER */
export function kafkajsSasl({ sasl }: KafkaOptions, bearerToken: () => Promise<string>): Pick<KafkaConfig, 'sasl'> {
  switch (sasl?.mechanism) {
    case undefined:
      return {};
    case 'PLAIN':
      return { sasl: { mechanism: 'plain', username: sasl.username, password: sasl.password } };
    case 'SCRAM-SHA-256':
      return { sasl: { mechanism: 'scram-sha-256', username: sasl.username, password: sasl.password } };
    case 'SCRAM-SHA-512':
      return { sasl: { mechanism: 'scram-sha-512', username: sasl.username, password: sasl.password } };
    case 'OAUTHBEARER': {
      const authenticate = ({ saslAuthenticate }: AuthenticationProviderArgs) => ({
        authenticate: async () => {
          const token = oauthInitialResponse(await bearerToken(), sasl.extensions);
          await saslAuthenticate({ request: { encode: () => lengthPrefixed(token) }, response: TOKEN_ANSWER });
        },
      });
      return { sasl: { mechanism: 'OAUTHBEARER', authenticationProvider: authenticate } };
    }
  }
}

/** The library hands bytes over, and takes them, behind their length. */
const LENGTH_BYTES = 4;

/** The library's own does not look at the answer, and a broker that refuses a token says so in it. */
const TOKEN_ANSWER = {
  decode: (bytes: Buffer) => bytes.subarray(LENGTH_BYTES),
  parse: (bytes: Buffer) => {
    const refusal = refusedToken(bytes);
    if (refusal !== null) throw refusal;
  },
};

function lengthPrefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
