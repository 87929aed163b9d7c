import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { once } from 'node:events';

/** Where connections go: a TCP port, or a unix socket. */
export type ProxyTarget = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * A direction of the traffic, seen from the client: `requests` go to the server, `responses` come back.
 */
export type ProxyDirection = 'requests' | 'responses';

const BOTH: readonly ProxyDirection[] = ['requests', 'responses'];

interface Pipe {
  readonly direction: ProxyDirection;
  readonly from: Socket;
  readonly to: Socket;
  /** What is still to be delivered, oldest first. */
  readonly waiting: (() => unknown)[];
}

/**
 * A TCP proxy on 127.0.0.1 that does to connections what networks do. All faults apply to open connections as well as
 * to new ones, and can be changed at any time.
 *
 * A black hole reads and drops: nothing that was swallowed is ever delivered, so connections that lost bytes have to be
 * reset before it is lifted, as {@link heal} does.
 */
export class TcpProxy {
  /** Where connections go. May be set after the start. */
  target: ProxyTarget | undefined;
  readonly #server: Server;
  readonly #swallowed = new Set<ProxyDirection>();
  readonly #tainted = new Set<Socket>();
  readonly #sockets = new Set<Socket>();
  #latencyMs = 0;
  #port = 0;
  #accepted = 0;
  #swallowedBytes = 0;

  private constructor(target: ProxyTarget | undefined) {
    this.target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Starts listening. */
  static async start(target?: ProxyTarget): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await proxy.listen();
    return proxy;
  }

  /** The port on 127.0.0.1; the same after {@link refuse} and {@link listen}. */
  get port(): number {
    return this.#port;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** How many connections have been accepted since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** How many bytes have vanished in black holes since the start: tells when a fault has hit something. */
  get swallowedBytes(): number {
    return this.#swallowedBytes;
  }

  /** How many connections are open on at least one side. */
  get open(): number {
    return Math.ceil(this.#sockets.size / 2);
  }

  /** Accepts connections (again). */
  async listen(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses new connections; open ones go on. */
  refuse(): void {
    if (this.#server.listening) this.#server.close();
  }

  /** Swallows all bytes of the given directions, without closing anything. @param directions default both */
  blackhole(directions: readonly ProxyDirection[] = BOTH): void {
    for (const direction of directions) this.#swallowed.add(direction);
  }

  /** Delays every chunk by so many milliseconds in each direction; 0 for none. */
  delay(milliseconds: number): void {
    this.#latencyMs = milliseconds;
  }

  /** Ends all connections with a RST, as when a host crashed and came back. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Ends all connections with a FIN, as a server that shuts down. */
  closeAll(): void {
    for (const socket of this.#sockets) socket.end();
  }

  /** Lifts all faults: connections that lost bytes, or their end, are reset, the delay ends, and new connections are accepted. */
  async heal(): Promise<void> {
    this.#swallowed.clear();
    this.#latencyMs = 0;
    for (const socket of this.#tainted) socket.resetAndDestroy();
    await this.listen();
  }

  /** Ends all connections and stops listening. */
  async dispose(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.refuse();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #accept(client: Socket): void {
    this.#accepted++;
    if (this.target === undefined) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.target, allowHalfOpen: true });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
    }
    this.#forward({ direction: 'requests', from: client, to: server, waiting: [] });
    this.#forward({ direction: 'responses', from: server, to: client, waiting: [] });
  }

  #forward(pipe: Pipe): void {
    const { direction, from, to } = pipe;
    const swallow = () => {
      if (!this.#swallowed.has(direction)) return false;
      this.#tainted.add(from).add(to);
      return true;
    };
    from.on('data', (chunk: Buffer) => {
      if (swallow()) this.#swallowedBytes += chunk.length;
      else this.#deliver(pipe, () => to.write(chunk));
    });
    from.on('end', () => {
      if (!swallow()) this.#deliver(pipe, () => to.end());
    });
    from.on('error', () => {
      if (!swallow()) to.resetAndDestroy();
    });
    from.on('close', () => {
      if (!swallow()) this.#deliver(pipe, () => to.end());
      this.#sockets.delete(from);
      this.#tainted.delete(from);
    });
  }

  /** Delivers now or, all in their order, later; and stops reading while the receiver does not keep up. */
  #deliver(pipe: Pipe, act: () => unknown): void {
    pipe.waiting.push(act);
    const deliverNext = () => {
      if (pipe.to.destroyed || pipe.waiting.shift()?.() !== false) return;
      pipe.from.pause();
      pipe.to.once('drain', () => pipe.from.resume());
    };
    // What came while there was a delay must not be overtaken when the delay ends.
    if (this.#latencyMs === 0 && pipe.waiting.length === 1) deliverNext();
    else setTimeout(deliverNext, this.#latencyMs);
  }
}
