import type { z } from 'zod';
import type { TlsOptions } from '../../core/tls.ts';
import { choice, secret, section, text } from './scalars.ts';

export const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

/** A certificate or key: `what` says of whom. */
export const pem = (what: string) => text(`the path of ${what} in PEM form, or the PEM text itself`);

/** What a `tls:` section may say, and how it becomes {@link TlsOptions}; null is plain text. */
export const tlsSchema = section({
  mode: choice(TLS_MODES)
    .describe(
      '`disable`: plain text. `require`: encrypted, the server unproven. `verify-ca`: its certificate must be signed by `ca` (or a well-known authority). `verify-full`: it must also name the host.',
    )
    .prefault('verify-full'),
  ca: pem('the certificate authority')
    .optional()
    .describe(
      'Certificate authority that signs the server, as a path or PEM text; without it, those that Node.js knows.',
    ),
  cert: pem('the client certificate').optional().describe('Client certificate, as a path or PEM text; needs `key`.'),
  key: pem('the client key')
    .optional()
    .meta({ secret: true })
    .describe('Private key of the client certificate, as a path or PEM text.'),
  passphrase: secret('a passphrase').optional().describe('Passphrase of the key, where it has one.'),
  servername: text('a host name')
    .optional()
    .describe('Name to ask for (SNI) and to verify, where it is not the host that is connected to.'),
})
  .superRefine(requirePair)
  .transform(({ mode, ...material }) => tlsOptions(mode, material));

interface KeyMaterial {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
}

/** Certificate and key belong together, and a passphrase to a key. */
export function requirePair({ cert, key, passphrase }: KeyMaterial, context: z.core.$RefinementCtx): void {
  if ((cert === undefined) !== (key === undefined)) {
    const absent = cert === undefined ? 'cert' : 'key';
    context.addIssue({ code: 'custom', path: [absent], message: 'is missing: cert and key belong together' });
  }
  if (passphrase !== undefined && key === undefined)
    context.addIssue({ code: 'custom', path: ['passphrase'], message: 'is for a key, and there is none' });
}

interface TlsMaterial extends KeyMaterial {
  readonly ca?: string | undefined;
  readonly servername?: string | undefined;
}

/** Resolves a mode and its material; null when the mode is `disable`. */
export function tlsOptions(mode: TlsMode, { ca, cert, key, passphrase, servername }: TlsMaterial): TlsOptions | null {
  if (mode === 'disable') return null;
  return {
    rejectUnauthorized: mode !== 'require',
    checkHostname: mode === 'verify-full',
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
    ...(servername !== undefined && { servername }),
  };
}

/** A broker's `tls:` section; left out or null it is plain text. */
export const brokerTls = tlsSchema
  .nullable()
  .describe('TLS to the broker; an empty section (`tls: {}`) verifies everything. Left out: plain text.')
  .prefault(null);
