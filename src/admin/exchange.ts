/** Between Node's HTTP and the {@link Endpoint}s: a request is read, an answer is written. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AdminRequest, type Answer, BadRequest, type LiveAnswer, MAX_BODY_BYTES } from './http.ts';

/** A reader who is further behind than that loses lines. */
const MAX_BUFFERED_BYTES = 64 * 1024;

/** Whatever a browser makes of an answer, it must not run it, frame it, or hand it to another site. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** What an endpoint is given. @param closing aborted when the server closes */
export function adminRequest(
  message: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Omit<AdminRequest, 'access'> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const [path = '/', query] = (message.url ?? '/').split('?', 2);
  return {
    path,
    query: new URLSearchParams(query),
    headers: message.headers,
    remoteAddress: message.socket.remoteAddress ?? 'unknown',
    gone: AbortSignal.any([gone.signal, closing]),
    json: () => readObject(message),
  };
}

/** Writes a complete answer. */
export function sendAnswer(
  { code, contentType, body, headers }: Answer,
  message: IncomingMessage,
  response: ServerResponse,
): void {
  const length = Buffer.byteLength(body);
  response.writeHead(code, { ...HEADERS, 'content-type': contentType, 'content-length': length, ...headers });
  response.end(message.method === 'HEAD' ? undefined : body);
}

/** Writes an answer line by line until it ends, the reader goes, or `closing` is aborted. */
export async function sendLive(
  { contentType, live }: LiveAnswer,
  message: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  response.writeHead(200, { ...HEADERS, 'content-type': contentType, 'x-accel-buffering': 'no' });
  if (message.method === 'HEAD' || closing.aborted) {
    response.end();
    return;
  }
  response.flushHeaders();
  const send = (line: string): boolean => {
    if (response.destroyed || response.writableLength > MAX_BUFFERED_BYTES) return false;
    response.write(`${line}\n`);
    return true;
  };
  await live({ send });
  response.end();
}

async function readObject(message: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  // no form can send this type, so that a browser asks first before another site's script may
  if (!/^application\/json\b/i.test(message.headers['content-type'] ?? ''))
    throw new BadRequest(415, 'expected content-type: application/json');
  const value = parsed(await readBody(message));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadRequest(400, 'expected a JSON object');
  return value as Readonly<Record<string, unknown>>;
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // a body that is refused must not take the connection with it: the refusal goes over it
  const body = message.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) throw new BadRequest(413, `expected at most ${MAX_BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    // who sends it went away in the middle: no fault of ours, and nobody is left to be answered
    throw error instanceof BadRequest ? error : new BadRequest(400, 'the body did not come to its end');
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
