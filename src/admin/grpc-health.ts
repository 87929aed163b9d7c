/** Loaded only where `admin.grpc` is set: it needs the package of gRPC. */
import { createPrivateKey } from 'node:crypto';
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  setLogVerbosity,
  status as Code,
} from '@grpc/grpc-js';
import { RelayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { StatusReport } from '../core/status.ts';
import { CredentialWatch, type RenewableCredentials } from './credentials.ts';
import {
  decodeRequest,
  encodeResponse,
  type HealthCheckRequest,
  SERVING_STATUS,
  type ServingStatus,
} from './grpc-health-messages.ts';
import { liveness, readiness, type Verdict } from './health.ts';
import { type AdminTls, serverTls } from './tls.ts';

/** Where the service listens: by default without TLS. */
export interface GrpcHealthOptions extends Partial<RenewableCredentials> {
  readonly host: string;
  /** 0: any free one; {@link GrpcHealthServer.port} tells which. */
  readonly port: number;
}

type Watcher = ServerWritableStream<HealthCheckRequest, ServingStatus>;

/** How soon watchers are told of a change. */
const LOOK_MS = 1_000;
const MAX_WATCHERS = 100;
const MAX_REQUEST_BYTES = 4096;

/** The services by the names that are asked for, with what each is judged by: the same as its HTTP probe. */
const SERVICES: ReadonlyMap<string, (report: StatusReport) => Verdict> = new Map([
  ['', liveness],
  ['liveness', liveness],
  ['readiness', readiness],
]);

/**
 * The standard health service of gRPC, `grpc.health.v1.Health`, beside the HTTP probes, and open to anyone as these are.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class GrpcHealthServer {
  readonly #options: GrpcHealthOptions;
  readonly #status: () => StatusReport;
  readonly #server = new Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': 2 * MAX_WATCHERS,
  });
  readonly #credentials: CredentialWatch;
  /** With what each was told last. */
  readonly #watchers = new Map<Watcher, ServingStatus>();
  #timer: NodeJS.Timeout | undefined;
  #port: number;

  constructor(options: GrpcHealthOptions, status: () => StatusReport, log: Log) {
    const { tls = null } = options;
    this.#options = options;
    this.#status = status;
    this.#port = options.port;
    this.#credentials = new CredentialWatch({ ...options, token: null, tls }, log, (latest) =>
      this.#present(latest, log),
    );
    this.#server.addService(SERVICE_DEFINITION, {
      check: (call: ServerUnaryCall<HealthCheckRequest, ServingStatus>, answer: sendUnaryData<ServingStatus>) =>
        this.#check(call.request.service, answer),
      watch: (call: Watcher) => this.#watch(call),
    });
  }

  /** The port that is listened on; the configured one until {@link listen} has resolved. */
  get port(): number {
    return this.#port;
  }

  /** @throws RelayError `config_invalid` when host and port cannot be listened on, `credentials_unusable` */
  async listen(): Promise<void> {
    const { tls = null } = this.#options;
    setLogVerbosity(logVerbosity.NONE); // else it writes to standard error by itself
    await this.#bind(credentialsOf(tls));
    this.#credentials.start();
  }

  /** Reads the files of the certificate again, as otherwise happens every few seconds. */
  renewCredentials(): void {
    this.#credentials.look();
  }

  /** Tells watchers that the end has come, and stops; what is not answered within `deadlineMs` is cut off. Idempotent. */
  async close(deadlineMs: number): Promise<void> {
    this.#credentials.stop();
    clearInterval(this.#timer);
    for (const watcher of this.#watchers.keys()) {
      watcher.write(SERVING_STATUS.notServing);
      watcher.end();
    }
    this.#watchers.clear();
    const cutOff = setTimeout(() => this.#server.forceShutdown(), deadlineMs);
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
    clearTimeout(cutOff);
  }

  #check(service: string, answer: sendUnaryData<ServingStatus>): void {
    const serving = this.#judge(service);
    if (serving !== SERVING_STATUS.serviceUnknown) answer(null, serving);
    else answer({ code: Code.NOT_FOUND, details: `unknown service; there are '', ${named().join(', ')}` });
  }

  #watch(watcher: Watcher): void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      watcher.emit('error', { code: Code.RESOURCE_EXHAUSTED, details: `${MAX_WATCHERS} watch already` });
      return;
    }
    const serving = this.#judge(watcher.request.service);
    watcher.write(serving);
    this.#watchers.set(watcher, serving);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    watcher.on('cancelled', () => this.#watchers.delete(watcher));
  }

  #look(): void {
    for (const [watcher, told] of this.#watchers) {
      const serving = this.#judge(watcher.request.service);
      if (serving === told) continue;
      watcher.write(serving);
      this.#watchers.set(watcher, serving);
    }
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #judge(service: string): ServingStatus {
    const judge = SERVICES.get(service);
    if (judge === undefined) return SERVING_STATUS.serviceUnknown;
    return judge(this.#status()).ok ? SERVING_STATUS.serving : SERVING_STATUS.notServing;
  }

  /** Connections from now on see this certificate; those that are open go on. */
  #present(tls: AdminTls, log: Log): void {
    const credentials = credentialsOf(tls);
    this.#server.unbind(this.#address());
    this.#bind(credentials).catch((error: unknown) => log.error({ error }, 'the gRPC health service has no port'));
  }

  async #bind(credentials: ServerCredentials): Promise<void> {
    try {
      this.#port = await new Promise<number>((resolve, reject) => {
        this.#server.bindAsync(this.#address(), credentials, (error, port) =>
          error === null ? resolve(port) : reject(error),
        );
      });
    } catch (cause) {
      const { host, port } = this.#options;
      throw new RelayError('config_invalid', `admin.grpc.host ${host}, admin.grpc.port ${port}: cannot listen there`, {
        cause,
        remedy: 'Choose another admin.grpc.port, or stop the process that has it.',
      });
    }
  }

  #address(): string {
    const { host } = this.#options;
    return `${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
  }
}

/** The serializers of a client's side are asked for, and not used. */
const METHOD = {
  requestSerialize: ({ service }: HealthCheckRequest): Buffer => Buffer.from(service),
  requestDeserialize: decodeRequest,
  responseSerialize: encodeResponse,
  responseDeserialize: (message: Buffer): Buffer => message,
  requestStream: false,
} as const;

const SERVICE_DEFINITION = {
  check: { ...METHOD, path: '/grpc.health.v1.Health/Check', responseStream: false },
  watch: { ...METHOD, path: '/grpc.health.v1.Health/Watch', responseStream: true },
} as const;

function named(): readonly string[] {
  return [...SERVICES.keys()].filter((name) => name !== '');
}

/** As with HTTP, probes need no certificate. The key is decrypted here: the package takes no passphrase. */
function credentialsOf(tls: AdminTls | null): ServerCredentials {
  if (tls === null) return ServerCredentials.createInsecure();
  serverTls(tls);
  const { cert, key, passphrase } = tls;
  const plain = createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) });
  const pem = plain.export({ type: 'pkcs8', format: 'pem' });
  return ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(pem) }], false);
}
