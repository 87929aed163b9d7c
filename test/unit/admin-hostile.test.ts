/** The admin port towards those who mean it harm: raw bytes on real sockets, and the limits that ship. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { BadRequest, type Endpoint, textAnswer } from '../../src/admin/http.ts';
import { AdminServer } from '../../src/admin/server.ts';
import type { Log } from '../../src/core/log.ts';

const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => SILENT };
const TOKEN = '0123456789abcdef';
/** As many as `src/admin/server.ts` lets in. */
const MAX_CONNECTIONS = 100;

function ignore(): void {
  return;
}

/** A connection over which anything may be written. */
class RawConnection {
  readonly socket: Socket;
  /** Whether it was taken and then ended by the server; with what it had answered. */
  readonly ended: Promise<string>;
  #answered = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1').on('error', ignore);
    this.socket.on('data', (text: string) => (this.#answered += text));
    // Not by `once`, which fails at a reset: what a server has not read when it ends a connection resets it.
    this.ended = new Promise((resolve) => this.socket.on('close', () => resolve(this.#answered)));
  }

  /** Resolves with all that was answered so far, once that has `pattern`. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#answered)) await once(this.socket, 'data');
    return this.#answered;
  }
}

/** The status codes in what was answered, in order. */
function codes(answered: string): number[] {
  return [...answered.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, code]) => Number(code));
}

describe('the admin port', () => {
  const servers: AdminServer[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => server.close(0)));
  });

  /** Which endpoints were reached, with what. */
  let reached: string[] = [];
  const reach = (what: string) => {
    reached.push(what);
    return textAnswer(200, what);
  };
  const ENDPOINTS: readonly Endpoint[] = [
    { method: 'GET', path: '/read', access: 'reader', answer: ({ query }) => reach(`read ${query.get('n')}`) },
    {
      method: 'POST',
      path: '/change',
      access: 'operator',
      answer: async (request) => reach(`changed ${JSON.stringify(await request.json())}`),
    },
  ];

  async function start(token: string | null = null, log = SILENT, endpoints = ENDPOINTS): Promise<AdminServer> {
    reached = [];
    const server = new AdminServer({ host: '127.0.0.1', port: 0, token }, endpoints, log);
    servers.push(server);
    await server.listen();
    return server;
  }

  function open(server: AdminServer, text = ''): RawConnection {
    const connection = new RawConnection(server.port);
    sockets.push(connection.socket);
    connection.socket.write(text, 'latin1');
    return connection;
  }

  const change = (length: number, type = 'application/json'): string =>
    `POST /change HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
  const read = (n: number | string, headers = 'Host: localhost\r\n'): string =>
    `GET /read?n=${n} HTTP/1.1\r\n${headers}\r\n`;
  const LAST = 'Host: localhost\r\nConnection: close\r\n';

  it('ends a connection whose request never comes to its end, however diligently it trickles', async () => {
    const server = await start(TOKEN);
    const started = performance.now();
    const slow = {
      silent: open(server),
      headers: open(server, 'GET /read HTTP/1.1\r\n'),
      body: open(server, change(4000)),
      'half a line': open(server, 'GE'),
    };
    const trickle = setInterval(() => {
      slow.headers.socket.write('x-another: header\r\n');
      slow.body.socket.write(' ');
    }, 200);
    const answers = await Promise.all(
      Object.entries(slow).map(async ([name, { ended }]) => [name, codes(await ended)] as const),
    );
    clearInterval(trickle);
    expect(Object.fromEntries(answers)).toEqual({ silent: [408], headers: [408], body: [408], 'half a line': [408] });
    expect(performance.now() - started).toBeGreaterThan(5_000);
    expect(reached).toEqual([]);
    expect(codes(await open(server, read(1, `${LAST}Authorization: Bearer ${TOKEN}\r\n`)).ended)).toEqual([200]);
  }, 60_000);

  it('takes so many connections and no more, and the next one when one has gone', async () => {
    const server = await start();
    const first = Array.from({ length: MAX_CONNECTIONS }, () => open(server, read('x')));
    await Promise.all(first.map((connection) => connection.until(/read x/)));
    expect(await open(server, read('y')).ended).toBe('');
    expect(reached).toHaveLength(MAX_CONNECTIONS);
    first[0]?.socket.destroy();
    // the server hears of the end after the client has
    let answered = '';
    while (answered === '') answered = await open(server, read('z', LAST)).ended;
    expect(codes(answered)).toEqual([200]);
  });

  it('refuses headers that are too large or too many, and an address that is', async () => {
    const server = await start();
    const many = Array.from({ length: 3_000 }, (_, n) => `a${n}:b\r\n`).join('');
    for (const request of [
      read(1, `${LAST}x-long: ${'x'.repeat(9_000)}\r\n`),
      read(1, `${LAST}${many}`),
      read('x'.repeat(9_000)),
      `GET / HTTP/1.1\r\n${'x'.repeat(100_000)}`,
    ]) {
      expect(codes(await open(server, request).ended)).toEqual([431]);
    }
    expect(reached).toEqual([]);
  });

  it.each([
    ['of another site', 'Host: evil.example\r\n', 403],
    ['of another site, behind an own one', 'Host: evil.example\r\nHost: localhost\r\n', 403],
    ['that only begins as an own one', 'Host: localhost.evil.example\r\n', 403],
    ['that is missing', '', 400],
    ['of this host', 'Host: localhost:9464\r\n', 200],
  ])('answers a request for a host %s', async (_, headers, code) => {
    const server = await start();
    expect(codes(await open(server, read(1, `Connection: close\r\n${headers}`)).ended)).toEqual([code]);
    expect(reached).toEqual(code === 200 ? ['read 1'] : []);
  });

  it('answers no request that is for a proxy, or wants another protocol', async () => {
    const server = await start();
    const absolute = `GET http://localhost/read?n=1 HTTP/1.1\r\n${LAST}\r\n`;
    expect(codes(await open(server, absolute).ended)).toEqual([404]);
    expect(await open(server, 'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n').ended).toBe('');
    expect(codes(await open(server, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').ended)).toEqual([400]);
    expect(codes(await open(server, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03').ended)).toEqual([400]);
    expect(reached).toEqual([]);
  });

  it('answers pipelined requests each, in order, though nobody reads the answers for a while', async () => {
    const server = await start();
    const count = 2_000;
    const requests = Array.from({ length: count }, (_, n) => read(n, n === count - 1 ? LAST : undefined)).join('');
    const connection = open(server);
    connection.socket.pause();
    connection.socket.write(requests);
    expect(codes(await open(server, read('another', LAST)).ended)).toEqual([200]);
    connection.socket.resume();
    const bodies = [...(await connection.ended).matchAll(/^read (\d+)$/gm)].map(([, n]) => Number(n));
    expect(bodies).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  it('takes a body that breaks off for no fault of its own', async () => {
    const errors: string[] = [];
    let outcome: (error: unknown) => void = ignore;
    const ended = new Promise<unknown>((resolve) => (outcome = resolve));
    const reading: Endpoint = {
      method: 'POST',
      path: '/change',
      access: 'operator',
      answer: (request) =>
        request.json().then(
          () => textAnswer(200, 'changed'),
          (error: unknown) => {
            outcome(error);
            throw error;
          },
        ),
    };
    const log: Log = { ...SILENT, error: (_: unknown, text?: string) => void errors.push(text ?? '') };
    const server = await start(TOKEN, log, [reading]);
    const socket = connect(server.port, '127.0.0.1').on('error', ignore);
    const head = `POST /change HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\n`;
    socket.write(`${head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"all":`, () => socket.destroy());
    expect(await ended).toBeInstanceOf(BadRequest);
    await setImmediate();
    expect(errors).toEqual([]);
  });

  it('never takes the body of a request for another request', async () => {
    const server = await start(TOKEN);
    const smuggled = read('smuggled', `${LAST}Authorization: Bearer ${TOKEN}\r\n`);
    const behind = read('behind', `${LAST}Authorization: Bearer ${TOKEN}\r\n`);
    const refused = open(server, change(smuggled.length, 'text/plain') + smuggled + behind);
    expect(codes(await refused.ended)).toEqual([415, 200]);
    const padding = ' '.repeat(10_000 - smuggled.length);
    const tooLarge = open(server, change(10_000) + padding + smuggled + behind);
    expect(codes(await tooLarge.ended)).toEqual([413, 200]);
    expect(reached).toEqual(['read behind', 'read behind']);
    for (const ambiguous of [
      change(5).replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n'),
      change(5).replace('\r\n\r\n', '\r\nContent-Length: 6\r\n\r\n'),
      change(5).replace('\r\nContent-Length', '\r\nContent-Length '),
      change(5).replace('Content-Length: 5', 'Transfer-Encoding: x, chunked, y'),
    ]) {
      expect(codes(await open(server, `${ambiguous}0\r\n\r\n${smuggled}`).ended)).toEqual([400]);
    }
    expect(reached).toHaveLength(2);
  });
});
