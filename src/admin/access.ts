import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { type Access, type Answer, textAnswer } from './http.ts';

/** What access is decided by. */
export interface AccessRules {
  /** The bearer token that is asked for; null: none is configured. */
  readonly token: () => string | null;
  /** Where the port listens. */
  readonly host: string;
}

/** What the page offers: the answers of {@link refusal} to a request without a token, beforehand. */
export interface AccessFacts {
  readonly token: boolean;
  readonly insider: boolean;
}

const REMEDY = 'set admin.token or admin.tokenFile';

/**
 * Decides whether a request is answered. Null: it is.
 *
 * A peer's address proves nothing: a mesh's proxy makes every caller local. So without a token only the address that is
 * listened on counts, and the name that was asked for, or a web site whose name resolves to this host could read along.
 */
export function refusal(access: Access, headers: IncomingHttpHeaders, rules: AccessRules): Answer | null {
  if (access === 'anyone') return null;
  const token = rules.token();
  if (token !== null) return carriesToken(headers, token) ? null : unauthorized();
  switch (access) {
    case 'reader':
      return null;
    case 'insider':
      if (!isLoopback(rules.host))
        return textAnswer(403, `this is told on a loopback address or to holders of a token: ${REMEDY}`);
      return isLoopback(hostOf(headers.host)) ? null : textAnswer(403, 'ask by a loopback address or localhost');
    case 'operator':
      return textAnswer(403, `changes need a token: ${REMEDY}`);
  }
}

/** What holds for everyone who asks. */
export function accessFacts(rules: AccessRules): AccessFacts {
  const token = rules.token() !== null;
  return { token, insider: token || isLoopback(rules.host) };
}

function carriesToken({ authorization }: IncomingHttpHeaders, token: string): boolean {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  // hashed, so that lengths are equal and nothing of the token shows in the time it takes
  return given !== undefined && timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function unauthorized(): Answer {
  return textAnswer(401, 'this needs the token of admin.token: Authorization: Bearer ...', {
    'www-authenticate': 'Bearer realm="outbox-relay"',
  });
}

/** The name in a `Host` header, without port and brackets. */
function hostOf(header: string | undefined): string {
  return header === undefined ? '' : header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}
