import { choice, integer, secret, section, text } from './scalars.ts';
import { pem, requirePair } from './tls.ts';

/** What RFC 6750 calls a b64token, long enough not to be guessed. */
const TOKEN = /^[A-Za-z0-9._~+/-]{16,512}={0,2}$/;

/** Whether a text will do as a token for the admin port. */
export function isAdminToken(given: string): boolean {
  return TOKEN.test(given);
}

export const TOKEN_FORM = 'a token of 16 to 512 letters, digits and . _ ~ + / - (openssl rand -hex 32 makes one)';

const adminTls = section({
  cert: pem("the admin port's certificate").describe('Certificate with its chain, as a path or PEM text.'),
  key: pem('its key').meta({ secret: true }).describe('Private key of the certificate, as a path or PEM text.'),
  passphrase: secret('a passphrase').optional().describe('Passphrase of the key, where it has one.'),
  clientCa: pem('the authority of clients')
    .optional()
    .describe(
      'Certificate authority of clients, as a path or PEM text. With it, whatever a token is needed for needs a certificate of this authority (as well).',
    ),
}).superRefine(requirePair);

const grpc = section({
  host: text('an address to listen on, such as 127.0.0.1 or 0.0.0.0')
    .describe('Address that the health service of gRPC listens on. The default is reachable from the same host only.')
    .prefault('127.0.0.1'),
  port: integer(0, 65535)
    .nullable()
    .describe(
      'Port of the health service of gRPC (`grpc.health.v1.Health`), which has the TLS of the admin port: `liveness` (and the empty name) is what /healthz tells, `readiness` what /readyz tells. 0 takes any free one. Null: there is none.',
    )
    .prefault(null),
});

/** The `admin:` section. */
export const adminSchema = section({
  host: text('an address to listen on, such as 127.0.0.1 or 0.0.0.0')
    .describe(
      'Address that /metrics, /healthz, /readyz and /status listen on. The default is reachable from the same host only.',
    )
    .prefault('127.0.0.1'),
  port: integer(0, 65535).describe('Port of it; 0 takes any free one.').prefault(9464),
  token: secret(TOKEN_FORM)
    .refine(isAdminToken, `expected ${TOKEN_FORM}`)
    .nullable()
    .describe(
      'Bearer token that everything but /healthz and /readyz asks for (`Authorization: Bearer ...`). Null: none.',
    )
    .prefault(null),
  tokenFile: text('the path of a file')
    .nullable()
    .describe('A file with the token, in place of `token`; read again when it may have changed.')
    .prefault(null),
  tap: choice(['off', 'metadata', 'payload'])
    .describe(
      'What `outbox-relay tap` may tell of single messages, to holders of the token or on a loopback address. `metadata`: where, key, type, id, size, delay. `payload`: what they hold too, where it is asked for.',
    )
    .prefault('metadata'),
  tls: adminTls.nullable().describe('TLS on the admin port. Null: plain HTTP.').prefault(null),
  grpc: grpc.describe('Health checks by gRPC.').prefault({}),
})
  .superRefine(({ token, tokenFile }, context) => {
    if (token === null || tokenFile === null) return;
    context.addIssue({ code: 'custom', path: ['tokenFile'], message: 'is given beside token: say it in one place' });
  })
  .describe('The HTTP endpoint for metrics, health and status.')
  .prefault({});
