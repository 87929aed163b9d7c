import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which Linux and macOS take the ports of outgoing connections: a client that keeps dialling a
// stopped server on a port of that range sooner or later connects to itself, and the server cannot come back.
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;

/** A TCP port on 127.0.0.1 that was free a moment ago; somebody may take it first, see {@link retryOnTakenPort}. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await canListen(port)) return port;
  }
  throw new Error(`no free TCP port between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** Several different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** Runs `start` again, which is to choose new ports, when it failed because another process had taken its port. */
export async function retryOnTakenPort<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const taken = error instanceof Error && /address (already )?in use|eaddrinuse/i.test(error.message);
      if (!taken || attempt === 4) throw error;
    }
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
