import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, RelayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { StatusReport } from '../core/status.ts';
import { liveness, readiness, type Verdict } from './health.ts';

/** Where the server listens. */
export interface AdminOptions {
  readonly host: string;
  /** 0: any free one; {@link AdminServer.port} tells which. */
  readonly port: number;
}

/** What the server tells. */
export interface AdminSources {
  /** Prometheus' text format, and its media type. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly status: () => StatusReport;
  readonly log: Log;
}

interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
}

type Handler = () => Answer | Promise<Answer>;

const TEXT = 'text/plain; charset=utf-8';
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 8192;
const MAX_CONNECTIONS = 100;

/** The port for operators and probes: `/metrics`, `/healthz`, `/readyz`, `/status`. It tells, and changes nothing. */
export class AdminServer {
  readonly #server: Server;
  readonly #options: AdminOptions;
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #log: Log;

  constructor(options: AdminOptions, sources: AdminSources) {
    this.#options = options;
    this.#handlers = handlers(sources);
    this.#log = sources.log;
    this.#server = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** The port that is listened on; the configured one until {@link listen} has resolved. */
  get port(): number {
    const address = this.#server.address() as AddressInfo | null;
    return address?.port ?? this.#options.port;
  }

  /** @throws RelayError `config_invalid` when host and port cannot be listened on */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ host, port }, () => {
          this.#server.off('error', reject);
          // A connection that cannot be accepted (no file descriptors left) must not end the process.
          this.#server.on('error', (error) => this.#log.warn({ error }, 'the admin port met an error'));
          resolve();
        });
      });
    } catch (cause) {
      throw listenError(host, port, cause);
    }
  }

  /** Stops listening; requests that are not answered within `deadlineMs` are cut off. Idempotent. */
  async close(deadlineMs: number): Promise<void> {
    if (!this.#server.listening) return;
    const cutOff = setTimeout(() => this.#server.closeAllConnections(), deadlineMs);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    clearTimeout(cutOff);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answer(request);
    response.writeHead(answer.code, {
      'content-type': answer.contentType,
      'content-length': Buffer.byteLength(answer.body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(answer.code === 405 ? { allow: 'GET, HEAD' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    const handler = this.#handlers.get(path);
    if (handler === undefined) return text(404, `not found; there are ${[...this.#handlers.keys()].join(', ')}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD');
    try {
      return await handler();
    } catch (error) {
      this.#log.error({ error, path }, 'a request to the admin port failed');
      return text(500, describeError(error));
    }
  }
}

function handlers({ metrics, status }: AdminSources): ReadonlyMap<string, Handler> {
  const probe = (judge: (report: StatusReport) => Verdict) => (): Answer => {
    const { ok, reason } = judge(status());
    return text(ok ? 200 : 503, reason);
  };
  return new Map<string, Handler>([
    ['/metrics', async () => ({ code: 200, contentType: metrics.contentType, body: await metrics.text() })],
    ['/healthz', probe(liveness)],
    ['/readyz', probe(readiness)],
    ['/status', () => ({ code: 200, contentType: 'application/json', body: `${JSON.stringify(status(), null, 2)}\n` })],
  ]);
}

function text(code: number, line: string): Answer {
  return { code, contentType: TEXT, body: `${line}\n` };
}

function listenError(host: string, port: number, cause: unknown): RelayError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const where = `admin.host ${host}, admin.port ${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return new RelayError('config_invalid', `${where}: another process listens there already`, {
        cause,
        remedy: 'Choose another admin.port, or stop the process that has it.',
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new RelayError('config_invalid', `${where}: this machine has no such address`, { cause });
    default:
      return new RelayError('config_invalid', `${where}: cannot listen there`, { cause });
  }
}
