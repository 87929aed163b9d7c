import { type ChannelCredentials, Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { readFields, numberOf } from './otlp/protobuf.ts';

const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const DEADLINE_MS = 10_000;

/** A client of `grpc.health.v1.Health`, as probes and load balancers are. Messages are written and read by other code than the server's. */
export class HealthClient {
  readonly #client: Client;

  /** @param target `host:port` */
  constructor(target: string, channel: ChannelCredentials = credentials.createInsecure()) {
    this.#client = new Client(target, channel);
  }

  /** The state of a service, or the name of the error. */
  check(service: string | Buffer): Promise<string> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        request,
        state,
        service,
        { deadline: Date.now() + DEADLINE_MS },
        (error: ServiceError | null, answer) => resolve(error === null ? (answer ?? '') : status[error.code]),
      );
    });
  }

  /** The states of a service, one after the other; at last the name of the code that the stream ended with. */
  async *watch(service: string): AsyncGenerator<string> {
    const stream = this.#client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', request, state, service);
    const ended = new Promise<string>((resolve) => stream.on('status', ({ code }) => resolve(status[code])));
    stream.on('error', () => undefined);
    try {
      for await (const each of stream) yield each as string;
    } catch {
      // told by the status
    }
    yield await ended;
  }

  close(): void {
    this.#client.close();
  }
}

/** Bytes stand for a whole message. */
function request(service: string | Buffer): Buffer {
  if (typeof service !== 'string') return service;
  const name = Buffer.from(service);
  return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

function state(message: Buffer): string {
  return STATES[Number(numberOf(readFields(message), 1))] ?? 'none';
}
