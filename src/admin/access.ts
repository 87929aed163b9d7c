import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../core/loopback.ts';
import { type Access, type AccessFacts, type Answer, textAnswer } from './http.ts';

/** What access is decided by. */
export interface AccessRules {
  /** The bearer token that is asked for; null: none is configured. */
  readonly token: () => string | null;
  /** Whether a certificate of the clients' authority is asked for, beside the token if there is one. */
  readonly clientCertificate: boolean;
  /** Where the port listens. */
  readonly host: string;
}

/** What is known of who asks. */
export interface Requester {
  readonly headers: IncomingHttpHeaders;
  /** Whether the connection shows a certificate of the clients' authority. */
  readonly certified: boolean;
}

const REMEDY = 'set admin.token or admin.tokenFile';

/**
 * Decides whether a request is answered. Null: it is. Every proof that is configured, token and certificate, is required.
 *
 * A peer's address proves nothing: a mesh's proxy makes every caller local. So without any proof only the address that is
 * listened on counts, and the name that was asked for, or a web site whose name resolves to this host could read along.
 */
export function refusal(access: Access, { headers, certified }: Requester, rules: AccessRules): Answer | null {
  if (access === 'anyone') return null;
  const token = rules.token();
  if (rules.clientCertificate && !certified)
    return textAnswer(403, 'this needs a certificate of the authority that admin.tls.clientCa names');
  if (token !== null) return bearsToken(headers.authorization, token) ? null : unauthorized();
  if (rules.clientCertificate) return null;
  const local = isLoopback(rules.host);
  if (access === 'operator') return textAnswer(403, `changes need a token: ${REMEDY}`);
  if (access === 'insider' && !local)
    return textAnswer(403, `this is told on a loopback address or to holders of a token: ${REMEDY}`);
  if (local && !isLoopback(hostOf(headers.host))) return textAnswer(403, 'ask by a loopback address or localhost');
  return null;
}

/** What this requester may have, beforehand. */
export function accessFacts(requester: Requester, rules: AccessRules): AccessFacts {
  const granted = (access: Access): boolean => refusal(access, requester, rules) === null;
  return {
    token: rules.token() !== null,
    reader: granted('reader'),
    insider: granted('insider'),
    operator: granted('operator'),
  };
}

/** Whether an `Authorization` header, or gRPC metadata of that name, bears the token. Takes the same time for every wrong one. */
export function bearsToken(authorization: string | undefined, token: string): boolean {
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
