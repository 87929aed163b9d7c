import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy behind which a broker takes connections, stores what it is sent, and is never heard of it. */
export interface UnheardProxy extends AsyncDisposable {
  readonly port: number;
  /** False: everything passes. */
  sabotages: boolean;
  /** Connections that it has ended so far. */
  readonly ended: number;
}

/** More than any handshake has, and less than a batch. */
const HANDSHAKE_BYTES = 8_000;
/** For so long a client may go on sending when its answers have stopped. */
const DEAF_MS = 300;

/**
 * Lets a connection begin as usual. Once the client has sent more than a handshake needs, what it sends still arrives,
 * but no answer comes back, and after a moment the connection is reset. Begins with sabotaging.
 */
export async function unheardProxy(target: { readonly host: string; readonly port: number }): Promise<UnheardProxy> {
  const sockets = new Set<Socket>();
  const proxy = { port: 0, sabotages: true, ended: 0 };
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    }
    // what the client has sent is to arrive, its end too
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
    let sent = 0;
    let deaf = false;
    client.on('data', (chunk) => {
      sent += chunk.length;
      upstream.write(chunk);
      if (deaf || !proxy.sabotages || sent < HANDSHAKE_BYTES) return;
      deaf = true;
      setTimeout(() => {
        proxy.ended++;
        client.resetAndDestroy();
      }, DEAF_MS);
    });
    upstream.on('data', (chunk) => {
      if (!deaf) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.port = (server.address() as AddressInfo).port;
  return Object.assign(proxy, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
