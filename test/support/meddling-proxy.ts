import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** How a proxy stands between a client and Postgres. */
export interface Meddling {
  /** Changes the startup packet that the client sends. */
  readonly startup?: (packet: Buffer) => Buffer;
  /** Changes everything that the server sends. */
  readonly answer?: (chunk: Buffer) => Buffer;
}

/** Stands between a client and Postgres as a pooler does, and changes what passes through. Dispose it at the end. */
export async function meddlingProxy(
  target: { readonly host: string; readonly port: number },
  { startup, answer }: Meddling,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    let first = true;
    client.on('data', (chunk) => {
      upstream.write(first && startup !== undefined ? startup(chunk) : chunk);
      first = false;
    });
    upstream.on('data', (chunk) => client.write(answer === undefined ? chunk : answer(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
