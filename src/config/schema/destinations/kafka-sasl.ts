import { z } from 'zod';
import { isLoopback } from '../../../core/loopback.ts';
import { choice, refuse, secret, section, text } from '../scalars.ts';
import { tlsSchema } from '../tls.ts';

/** RFC 7628, section 3.1: what would end the field must not be in it. */
const EXTENSION_NAME = /^[A-Za-z]+$/;
const EXTENSION_VALUE = /^[\x20-\x7e\t\r\n]+$/;

const oauth = section({
  tokenUrl: text('an https URL of a token endpoint')
    .refine(isSecure, 'expected an https URL (http only for this host): the secret of the client goes there')
    .describe('Token endpoint, asked by client credentials (RFC 6749, section 4.4).'),
  clientId: text('a client id').describe('Client id.'),
  clientSecret: secret('a client secret').describe('Client secret; sent in the header of HTTP Basic.'),
  scope: text('a scope').nullable().describe('Scopes to ask for, with blanks between them.').prefault(null),
  audience: text('an audience').nullable().describe('Audience to ask for, where the endpoint wants it.').prefault(null),
  tls: tlsSchema
    .nullable()
    .describe('TLS to the endpoint, for an authority of your own. Left out: verified by those that Node.js knows.')
    .prefault(null),
})
  .nullable()
  .describe('Where tokens come from. A new one is asked for before the last expires.')
  .prefault(null);

function isSecure(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, hostname, username } = new URL(given);
  return username === '' && (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)));
}

const fields = section({
  mechanism: choice(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']).describe(
    'How the login is proven. PLAIN sends the password, and OAUTHBEARER the token, as it is: use them with TLS.',
  ),
  username: text('a user name').optional().describe('User; not for OAUTHBEARER.'),
  password: secret('a password').optional().describe('Password of the user; not for OAUTHBEARER.'),
  token: secret('a token')
    .nullable()
    .describe('Token of OAUTHBEARER, such as `${file:/var/run/secrets/token}`, which is read again at each login.')
    .prefault(null),
  oauth,
  extensions: z
    .record(z.string().regex(EXTENSION_NAME), z.string().regex(EXTENSION_VALUE, 'expected printable ASCII'), {
      error: () => 'expected names of letters with texts of printable ASCII',
    })
    .describe('SASL extensions beside the token (KIP-342), such as `logicalCluster`.')
    .prefault({}),
});

/** The `sasl:` section of a Kafka destination. */
export const sasl = fields
  .transform(({ mechanism, username, password, token, oauth: client, extensions }, context) => {
    if (mechanism === 'OAUTHBEARER') {
      for (const [option, given] of Object.entries({ username, password }))
        if (given !== undefined) refuse(context, 'is not for OAUTHBEARER: give token or oauth', [option]);
      if (token !== null && client !== null) refuse(context, 'is given beside token: say it in one place', ['oauth']);
      if (token !== null) return { mechanism, extensions, token, oauth: null };
      if (client !== null) return { mechanism, extensions, token: null, oauth: client };
      return refuse(context, 'is missing: OAUTHBEARER needs token or oauth', ['token']);
    }
    for (const [option, given] of Object.entries({ token, oauth: client }))
      if (given !== null) refuse(context, `is for OAUTHBEARER, not for ${mechanism}`, [option]);
    if (username === undefined) return refuse(context, 'is missing: expected a user name', ['username']);
    if (password === undefined) return refuse(context, 'is missing: expected a password', ['password']);
    return { mechanism, username, password };
  })
  .nullable()
  .describe('SASL login. Left out: none.')
  .prefault(null);
