import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TcpProxy } from '../support/services/tcp-proxy.ts';

describe('the TCP proxy', () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      seenByServer += chunk.toString();
      socket.write(chunk);
    });
  });
  const clients: Socket[] = [];
  let seenByServer = '';
  let proxy: TcpProxy;

  beforeEach(async () => {
    seenByServer = '';
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await TcpProxy.start({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.dispose();
    server.close();
    await once(server, 'close');
  });

  async function dial(): Promise<Socket> {
    const client = connect(proxy.port, '127.0.0.1');
    clients.push(client);
    client.on('error', () => undefined);
    await once(client, 'connect');
    return client;
  }

  async function ask(client: Socket, text: string): Promise<string> {
    client.write(text);
    const [answer] = (await once(client, 'data')) as [Buffer];
    return answer.toString();
  }

  it('forwards in both directions, and the end of a connection', async () => {
    const client = await dial();
    expect(await ask(client, 'hello')).toBe('hello');
    expect(proxy.accepted).toBe(1);
    expect(proxy.open).toBe(1);
    client.end();
    await once(client.resume(), 'close');
    await expect.poll(() => proxy.open).toBe(0);
  });

  it('swallows responses only, while requests go on', async () => {
    const client = await dial();
    await ask(client, 'a');
    proxy.blackhole(['responses']);
    let answered = false;
    client.once('data', () => (answered = true));
    client.write('b');
    await expect.poll(() => proxy.swallowedBytes).toBe(1);
    expect(seenByServer).toBe('ab');
    expect(answered).toBe(false);
    expect(client.destroyed).toBe(false);
  });

  it('swallows both directions, and resets what lost bytes when it is healed', async () => {
    const cut = await dial();
    const idle = await dial();
    await ask(cut, 'a');
    await ask(idle, 'b');
    proxy.blackhole();
    const failed = once(cut, 'error');
    cut.write('lost');
    await expect.poll(() => proxy.swallowedBytes).toBe(4);
    await proxy.heal();
    expect(await failed).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
    expect(seenByServer).toBe('ab');
    expect(await ask(idle, 'c')).toBe('c');
  });

  it('delays, and keeps the order when the delay ends', async () => {
    const client = await dial();
    proxy.delay(150);
    const start = performance.now();
    expect(await ask(client, 'slow')).toBe('slow');
    expect(performance.now() - start).toBeGreaterThanOrEqual(299);
    client.write('1');
    await expect.poll(() => seenByServer).toBe('slow1');
    client.write('2');
    proxy.delay(0);
    client.write('3');
    let answers = '';
    client.on('data', (chunk) => (answers += chunk.toString()));
    await expect.poll(() => answers).toBe('123');
  });

  it('resets connections', async () => {
    const client = await dial();
    await ask(client, 'a');
    const failed = once(client, 'error');
    proxy.reset();
    expect(await failed).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
  });

  it('closes connections in an orderly way', async () => {
    const client = await dial();
    await ask(client, 'a');
    proxy.closeAll();
    const [hadError] = (await once(client.resume(), 'close')) as [boolean];
    expect(hadError).toBe(false);
  });

  it('refuses new connections, keeps open ones, and accepts again on the same port', async () => {
    const client = await dial();
    const { port } = proxy;
    proxy.refuse();
    await expect(dial()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await ask(client, 'still')).toBe('still');
    await proxy.listen();
    expect(proxy.port).toBe(port);
    expect(await ask(await dial(), 'again')).toBe('again');
  });
});
