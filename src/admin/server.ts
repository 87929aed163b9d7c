import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describeError, RelayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { redactText } from '../observe/redact.ts';
import { accessFacts, type AccessRules, refusal } from './access.ts';
import { CredentialWatch, type RenewableCredentials } from './credentials.ts';
import { type Answer, BadRequest, type Endpoint, type LiveAnswer, textAnswer } from './http.ts';
import { adminRequest, sendAnswer, sendLive } from './exchange.ts';
import { serverTls, type AdminTls } from './tls.ts';

/** Where the server listens, and whom it answers: by default anybody, in plain HTTP. */
export interface AdminOptions extends Partial<RenewableCredentials> {
  readonly host: string;
  /** 0: any free one; {@link AdminServer.port} tells which. */
  readonly port: number;
}

const REQUEST_TIMEOUT_MS = 10_000;
/** So that who sends a request byte by byte, or none at all, has a connection for some seconds only. */
const LIMITS = {
  maxHeaderSize: 8192,
  requestTimeout: REQUEST_TIMEOUT_MS,
  headersTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
} as const;
const MAX_CONNECTIONS = 100;

/** The port for operators and probes: answers by {@link Endpoint}s, those who may ask. */
export class AdminServer {
  readonly #server: ReturnType<typeof newServer>;
  readonly #options: AdminOptions;
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();
  readonly #log: Log;
  readonly #credentials: CredentialWatch;
  readonly #rules: AccessRules;
  /** Ends what would go on by itself. */
  readonly #closing = new AbortController();

  /** @throws RelayError `credentials_unusable` when certificate, key and passphrase do not belong together */
  constructor(options: AdminOptions, endpoints: readonly Endpoint[], log: Log) {
    const { host, token = null, tls = null } = options;
    this.#options = options;
    this.#log = log;
    for (const endpoint of endpoints) {
      const methods = this.#endpoints.get(endpoint.path) ?? new Map<string, Endpoint>();
      this.#endpoints.set(endpoint.path, methods.set(endpoint.method, endpoint));
    }
    this.#server = newServer(tls, (request, response) => void this.#serve(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#credentials = new CredentialWatch({ ...options, token, tls }, log, (latest) => this.#present(latest));
    this.#rules = { host, token: () => this.#credentials.token, clientCertificate: tls?.clientCa !== undefined };
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
    this.#credentials.start();
  }

  /** Reads the files of token and certificate again, as otherwise happens every few seconds. */
  renewCredentials(): void {
    this.#credentials.look();
  }

  /** Stops listening; requests that are not answered within `deadlineMs` are cut off. Idempotent. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort();
    this.#credentials.stop();
    if (!this.#server.listening) return;
    const cutOff = setTimeout(() => this.#server.closeAllConnections(), deadlineMs);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    clearTimeout(cutOff);
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answer(message, response);
    if ('live' in answer) await sendLive(answer, message, response, this.#closing.signal);
    else sendAnswer(answer, message, response);
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<Answer | LiveAnswer> {
    const request = adminRequest(message, response, this.#closing.signal);
    const methods = this.#endpoints.get(request.path);
    if (methods === undefined) return textAnswer(404, `not found; there are ${[...this.#endpoints.keys()].join(', ')}`);
    const endpoint = methods.get(message.method === 'HEAD' ? 'GET' : (message.method ?? ''));
    if (endpoint === undefined) {
      const allowed = [...methods.keys()].flatMap((method) => (method === 'GET' ? [method, 'HEAD'] : [method]));
      return textAnswer(405, `only ${allowed.join(', ')}`, { allow: allowed.join(', ') });
    }
    try {
      const certified = (message.socket as Partial<TLSSocket>).authorized === true;
      const { headers } = message;
      const requester = { headers, certified };
      const refused = refusal(endpoint.access, requester, this.#rules);
      return refused ?? (await endpoint.answer({ ...request, access: accessFacts(requester, this.#rules) }));
    } catch (error) {
      if (error instanceof BadRequest) return textAnswer(error.code, error.message);
      this.#log.error({ error, path: request.path }, 'a request to the admin port failed');
      return textAnswer(500, redactText(describeError(error)));
    }
  }

  /** Connections from now on see this certificate. */
  #present(tls: AdminTls): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(serverTls(tls));
  }
}

function newServer(tls: AdminTls | null, listener: RequestListener) {
  if (tls === null) return createServer(LIMITS, listener);
  return createTlsServer({ ...LIMITS, ...serverTls(tls), handshakeTimeout: REQUEST_TIMEOUT_MS }, listener);
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
