import { describeError, RelayError } from '../../core/errors.ts';
import { current } from '../../core/renewal.ts';
import { fetchText, type HttpAnswer } from '../http.ts';
import { brokerTlsError, tlsOptions } from '../tls.ts';
import type { KafkaOptions, OAuthClient } from './options.ts';

/** A token, and until when it may be shown. */
interface Token {
  readonly value: string;
  /** As {@link Date.now} counts; null: unknown. */
  readonly expiresAt: number | null;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 256 * 1024;
/** Of a token's life, the last part in which a new one is asked for; a minute at most. */
const MARGIN = { share: 0.2, maxMs: 60_000 };
const TLS_OPTION = 'sasl.oauth.tls';

/**
 * What gives the bearer token to show: that of the file, as it is now, or one of the token endpoint (client credentials,
 * RFC 6749 section 4.4), kept until it is about to expire. Connections that ask at the same time wait for one answer.
 *
 * @param now milliseconds, as {@link Date.now}
 */
export function bearerTokens(options: KafkaOptions, now: () => number = Date.now): () => Promise<string> {
  let kept: { readonly token: Token; readonly since: number; readonly of: string } | null = null;
  let asked: Promise<Token> | null = null;
  return async () => {
    const { sasl } = current(options);
    if (sasl?.mechanism !== 'OAUTHBEARER')
      throw new RelayError('internal', 'a token is asked for, and none configured');
    if (sasl.token !== null) return sasl.token;
    const { oauth } = sasl;
    const client = `${oauth.clientId}\0${oauth.clientSecret}`;
    if (kept !== null && kept.of === client && isFresh(kept.token, kept.since, now())) return kept.token.value;
    asked ??= ask(oauth, now).finally(() => (asked = null));
    const since = now();
    const token = await asked;
    kept = { token, since, of: client };
    return token.value;
  };
}

/** One that does not say how long it lives is asked for each time. */
function isFresh({ expiresAt }: Token, since: number, now: number): boolean {
  if (expiresAt === null) return false;
  return now < expiresAt - Math.min((expiresAt - since) * MARGIN.share, MARGIN.maxMs);
}

async function ask(oauth: OAuthClient, now: () => number): Promise<Token> {
  const url = new URL(oauth.tokenUrl);
  const where = `asking the token endpoint ${url.origin}${url.pathname}`;
  const answer = await post(url, oauth, where);
  if (answer.status >= 500 || answer.status === 429)
    throw new RelayError('oauth_unavailable', `${where}: HTTP status ${answer.status}`);
  if (answer.status !== 200)
    throw new RelayError('oauth_refused', `${where}: HTTP status ${answer.status}${errorCode(answer.body)}`);
  const token = readToken(answer.body, now());
  if (token === null) throw new RelayError('oauth_refused', `${where}: the answer holds no access_token`);
  return token;
}

async function post(url: URL, oauth: OAuthClient, where: string): Promise<HttpAnswer> {
  const fields = { grant_type: 'client_credentials', scope: oauth.scope, audience: oauth.audience };
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== null);
  // both are form-encoded first: RFC 6749, section 2.3.1
  const login = [oauth.clientId, oauth.clientSecret].map(formEncoded).join(':');
  try {
    return await fetchText(url, {
      method: 'POST',
      body: new URLSearchParams(given).toString(),
      headers: {
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      maxBytes: MAX_BYTES,
      ...(oauth.tls !== null && url.protocol === 'https:' && tlsOptions(oauth.tls, TLS_OPTION)),
    });
  } catch (cause) {
    if (cause instanceof RelayError) throw cause;
    const message = `${where}: ${describeError(cause)}`;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    throw brokerTlsError(code, message, cause, TLS_OPTION) ?? new RelayError('oauth_unavailable', message, { cause });
  }
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** The `error` of RFC 6749, section 5.2, which is a word of a list; nothing else of the body is told. */
function errorCode(body: string): string {
  const error = parsed(body)?.error;
  return typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? ` (${error})` : '';
}

function readToken(body: string, now: number): Token | null {
  const { access_token: value, expires_in: seconds } = parsed(body) ?? {};
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) return null;
  const lifetime = Number(seconds);
  return { value, expiresAt: lifetime > 0 && Number.isFinite(lifetime) ? now + lifetime * 1000 : null };
}

function parsed(body: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
