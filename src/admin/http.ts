import type { IncomingHttpHeaders } from 'node:http';

/**
 * Who may ask.
 *
 * - `anyone`: tells nothing about this relay, or only whether it lives
 * - `reader`: needs the token where one is configured
 * - `insider`: tells of single rows or of the configuration; without a token only where the port is reachable from the
 *   same host alone
 * - `operator`: changes something; needs the token, and is not to be had without one
 */
export type Access = 'anyone' | 'reader' | 'insider' | 'operator';

/** What a requester may have, so that a page offers no more. */
export interface AccessFacts extends Readonly<Record<Exclude<Access, 'anyone'>, boolean>> {
  /** Whether a token is asked for. */
  readonly token: boolean;
}

/** A request as an endpoint sees it. */
export interface AdminRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The other end of the connection, for the log: a proxy's, where there is one. */
  readonly remoteAddress: string;
  /** What it may have, this endpoint or others. */
  readonly access: AccessFacts;
  /** Aborted when the other end has gone, or the server closes. */
  readonly gone: AbortSignal;
  /** Reads the body. @throws BadRequest when it is not a JSON object, or larger than {@link MAX_BODY_BYTES} */
  json(): Promise<Readonly<Record<string, unknown>>>;
}

/** An answer that is complete. */
export interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that goes on until one of the two ends it. */
export interface LiveAnswer {
  readonly contentType: string;
  /** Called once the head has been sent; the answer ends when it resolves. */
  readonly live: (channel: Channel) => Promise<void>;
}

/** Where a {@link LiveAnswer} goes. */
export interface Channel {
  /** False when the reader is so far behind that the line was dropped. */
  send(line: string): boolean;
}

/** What one path answers to one method. `HEAD` is answered as `GET`. */
export interface Endpoint {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly access: Access;
  readonly answer: (request: AdminRequest) => Answer | LiveAnswer | Promise<Answer | LiveAnswer>;
}

/** A request that cannot be answered as it is: its message goes to whoever asked. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  /** The HTTP status. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Far more than any request to this port needs. */
export const MAX_BODY_BYTES = 4096;

/** A line of plain text. */
export function textAnswer(code: number, line: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { code, contentType: 'text/plain; charset=utf-8', body: `${line}\n`, headers };
}

/** A value as JSON; integers beyond those of JSON readers (positions) become strings. */
export function jsonAnswer(value: unknown, indent = 0): Answer {
  const body = JSON.stringify(
    value,
    (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner),
    indent,
  );
  return { code: 200, contentType: 'application/json', body: `${body}\n` };
}
