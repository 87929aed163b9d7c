import { readFileSync } from 'node:fs';
import { request as requestHttp, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { PeerCertificate } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { RelayError } from '../core/errors.ts';
import { configOf, type ConfigOption } from './config-option.ts';

/** How commands that ask a running relay find it, and prove who they are. */
export interface AdminOptions extends ConfigOption {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** Where a relay answers, and what it is shown. */
export interface AdminClient {
  readonly origin: string;
  /**
   * Asks for a path and reads the answer as JSON.
   *
   * @throws an error whose message says where nobody answered, or why not
   */
  get(path: string): Promise<unknown>;
  /**
   * Asks for a path and reads the answer line by line until it ends; empty lines, by which the relay shows that it is
   * there, are left out.
   *
   * @throws as {@link get}, and when the relay falls silent
   */
  lines(path: string): AsyncIterable<string>;
}

const TIMEOUT_MS = 5_000;
/** The relay sends something every five seconds. */
const SILENCE_MS = 15_000;

/** `--url`, `--token-file`, `--ca`, `--client-cert` and `--client-key`. */
export function addAdminOptions(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'where the relay answers (default: by admin.host and admin.port of the configuration)',
      address,
    )
    .option('--token-file <file>', 'its token (default: admin.token, $OUTBOX_RELAY_ADMIN_TOKEN)')
    .option('--ca <file>', 'authority of its certificate (default: admin.tls.cert itself is expected)')
    .option('--client-cert <file>', 'client certificate, where admin.tls.clientCa asks for one')
    .option('--client-key <file>', 'key of the client certificate');
}

function address(text: string): string {
  if (URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)) return text;
  throw new InvalidArgumentError('Expected an address such as http://127.0.0.1:9464.');
}

/** @throws RelayError `config_invalid` */
export async function adminClient(options: AdminOptions): Promise<AdminClient> {
  const { url, token, tls } = await target(options);
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const sent = { headers, ...tls };
  return {
    origin: url.origin,
    get: (path) => ask(new URL(path, url), sent),
    lines: (path) => readLines(new URL(path, url), sent),
  };
}

interface Target {
  readonly url: URL;
  readonly token: string | null;
  readonly tls: RequestOptions;
}

async function target(options: AdminOptions): Promise<Target> {
  const token = options.tokenFile === undefined ? null : readFile(options.tokenFile).trim();
  if (options.url !== undefined)
    return {
      url: new URL(options.url),
      token: token ?? process.env.OUTBOX_RELAY_ADMIN_TOKEN ?? null,
      tls: clientTls(options),
    };
  const { host, port, token: configured, tls } = (await configOf(options)).admin;
  if (port === 0)
    throw new RelayError('config_invalid', 'admin.port is 0, so that it is not known where the relay listens', {
      remedy: 'Name the address that its log tells: outbox-relay status --url http://127.0.0.1:PORT',
    });
  const local = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return {
    url: new URL(`${tls === null ? 'http' : 'https'}://${local.includes(':') ? `[${local}]` : local}:${port}`),
    token: token ?? configured,
    tls: { ...clientTls(options), ...(tls !== null && options.ca === undefined && expecting(tls.cert)) },
  };
}

function clientTls({ ca, clientCert, clientKey }: AdminOptions): RequestOptions & { ca?: string } {
  return {
    ...(ca !== undefined && { ca: readFile(ca) }),
    ...(clientCert !== undefined && { cert: readFile(clientCert) }),
    ...(clientKey !== undefined && { key: readFile(clientKey) }),
  };
}

/** The very certificate that is configured, whoever signed it and whatever host it is for: the request goes to this host. */
function expecting(pem: string): object {
  const expected = new X509Certificate(pem).fingerprint256;
  return {
    ca: pem,
    allowPartialTrustChain: true,
    checkServerIdentity: (_: string, { fingerprint256 }: PeerCertificate) =>
      fingerprint256 === expected ? undefined : new Error('the relay shows another certificate than admin.tls.cert'),
  };
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RelayError('config_invalid', `cannot read ${path}`, { cause, remedy: 'Name a file that can be read.' });
  }
}

async function ask(url: URL, options: RequestOptions): Promise<unknown> {
  let answer: IncomingMessage;
  let body: string;
  try {
    answer = await answered(request(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) }));
    body = await text(answer);
  } catch (cause) {
    throw unanswered(url, cause);
  }
  if (answer.statusCode === 200) return JSON.parse(body);
  throw refused(url, answer, body);
}

async function* readLines(url: URL, options: RequestOptions): AsyncIterable<string> {
  const silent = new AbortController();
  const silence = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const answer = await answered(request(url, { ...options, signal: silent.signal }));
    if (answer.statusCode !== 200) throw refused(url, answer, await text(answer));
    answer.on('data', () => silence.refresh());
    for await (const line of createInterface({ input: answer })) if (line !== '') yield line;
    if (!answer.complete) throw new Error(`the relay at ${url.origin} has ended`);
  } catch (cause) {
    throw cause instanceof Error && cause.message.startsWith('the relay') ? cause : unanswered(url, cause);
  } finally {
    clearTimeout(silence);
    silent.abort();
  }
}

function request(url: URL, options: RequestOptions): ClientRequest {
  return (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options);
}

function unanswered(url: URL, cause: unknown): Error {
  return new Error(`no relay answers at ${url.origin}`, { cause });
}

function refused(url: URL, { statusCode }: IncomingMessage, body: string): Error {
  return new Error(`the relay at ${url.origin} refuses: ${body.trim()} (HTTP status ${statusCode ?? 0})`);
}

function answered(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end();
  });
}
