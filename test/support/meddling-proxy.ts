import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Where connections go. */
export interface ProxiedServer {
  readonly host: string;
  readonly port: number;
}

/** How a proxy stands between a client and Postgres. */
export interface Meddling {
  /** Changes the startup packet that the client sends. */
  readonly startup?: (packet: Buffer) => Buffer;
  /** Where a connection that begins with this packet goes instead; null: where all go. */
  readonly elsewhere?: (packet: Buffer) => ProxiedServer | null;
  /** Changes everything that the server sends. */
  readonly answer?: (chunk: Buffer) => Buffer;
}

/** Stands between a client and Postgres as a pooler does, and changes what passes through. Dispose it at the end. */
export async function meddlingProxy(
  target: ProxiedServer,
  { startup, elsewhere, answer }: Meddling,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => undefined);
    client.once('data', (packet) => {
      const { host, port } = elsewhere?.(packet) ?? target;
      const upstream = connect(port, host);
      sockets.add(upstream);
      upstream.on('error', () => undefined);
      for (const socket of [client, upstream]) {
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      upstream.write(startup === undefined ? packet : startup(packet));
      client.on('data', (chunk) => upstream.write(chunk));
      upstream.on('data', (chunk) => client.write(answer === undefined ? chunk : answer(chunk)));
    });
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
