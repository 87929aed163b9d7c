import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { until } from '../services/until.ts';
import { readExport, type ReceivedSpan } from './spans.ts';

/** A small OTLP collector: takes the spans of the real exporters, and keeps them. */
export interface OtlpReceiver extends AsyncDisposable {
  /** For `tracing.endpoint`. */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** The headers, or metadata, of the latest export. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** From now on exports are refused, or taken again. */
  refuse(refused: boolean): void;
  /** Waits until there are spans of which `wanted` is true, as many as `count`. */
  untilSpans(count: number, wanted?: (span: ReceivedSpan) => boolean): Promise<readonly ReceivedSpan[]>;
}

/** What both kinds have in common. */
class Received {
  readonly spans: ReceivedSpan[] = [];
  headers: Readonly<Record<string, unknown>> = {};
  refused = false;

  take(body: Buffer, headers: Readonly<Record<string, unknown>>): void {
    this.headers = headers;
    if (!this.refused) this.spans.push(...readExport(body));
  }

  async untilSpans(count: number, wanted: (span: ReceivedSpan) => boolean = () => true) {
    const found = (): ReceivedSpan[] => this.spans.filter(wanted);
    const details = (): string =>
      this.spans.map(({ name, attributes }) => `${name} ${JSON.stringify(attributes)}`).join('\n');
    return until(() => Promise.resolve(found().length >= count && found()), {
      what: `${count} spans`,
      timeoutMs: 30_000,
      everyMs: 10,
      details,
    });
  }
}

/** One for `http/protobuf`. */
export async function otlpOverHttp(): Promise<OtlpReceiver> {
  const received = new Received();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const expected = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
      if (expected) received.take(unpacked(Buffer.concat(chunks), request.headers), request.headers);
      response.writeHead(received.refused || !expected ? 400 : 200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return receiver(received, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
}

/** One for `grpc`. */
export async function otlpOverGrpc(): Promise<OtlpReceiver> {
  const received = new Received();
  const server = new Server();
  const bytes = (buffer: Buffer): Buffer => buffer;
  server.addService(
    {
      export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      export: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        received.take(call.request, call.metadata.getMap());
        if (received.refused) answer({ code: status.PERMISSION_DENIED, details: 'refused' });
        else answer(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return receiver(received, `http://127.0.0.1:${port}`, () => {
    server.forceShutdown();
    return Promise.resolve();
  });
}

function receiver(received: Received, endpoint: string, close: () => Promise<void>): OtlpReceiver {
  return {
    endpoint,
    spans: received.spans,
    get headers() {
      return received.headers;
    },
    refuse: (refused) => {
      received.refused = refused;
    },
    untilSpans: (count, wanted) => received.untilSpans(count, wanted),
    [Symbol.asyncDispose]: close,
  };
}

function unpacked(body: Buffer, headers: IncomingHttpHeaders): Buffer {
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}
