import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AdminServer } from '../../src/admin/server.ts';
import { tapEndpoint, type TapMode } from '../../src/admin/tap.ts';
import { bytesText } from '../../src/cli/figures.ts';
import { printable } from '../../src/cli/output.ts';
import { Screen } from '../../src/cli/screen.ts';
import type { Log } from '../../src/core/log.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { Tap } from '../../src/observe/tap.ts';
import { outboxRelay } from '../support/cli.ts';

const log: Log = { debug: silent, info: silent, warn: silent, error: silent, child: () => log };

function silent(): void {
  return;
}

describe('outbox-relay tap', () => {
  let tap: Tap;
  let server: AdminServer;
  let url: string;
  beforeEach(() => start('metadata'));
  afterEach(() => server.close(0));

  async function start(mode: TapMode, host = '127.0.0.1'): Promise<void> {
    tap = new Tap();
    server = new AdminServer({ host, port: 0 }, [tapEndpoint({ tap, mode, log })], log);
    await server.listen();
    url = `http://127.0.0.1:${server.port}`;
  }

  function flow(key: string, body: string): void {
    const row = { position: 7n, id: 'id-7', values: [], lane: 'stream' as const, xid: 1, since: Date.now() };
    const address = { kind: 'topic' as const, topic: 'orders' };
    const rest = { contentType: 'text/plain', headers: [], route: 0, bytes: 9 };
    const message: OutgoingMessage = { row, address, key, type: 'created', body: Buffer.from(body), ...rest };
    const at = Date.now();
    tap.delivered({ destination: 'kafka', messages: [message], at, databaseNow: at });
  }

  const listening = () => expect.poll(() => tap.open, { timeout: 10_000 }).toBe(true);

  it('prints what flows, with nothing in it that a terminal would obey, and ends at its limit', async () => {
    const ran = outboxRelay('tap', '--url', url, '--limit', '2');
    await listening();
    flow('order-17', 'secret');
    flow('\x1b[2Jgone\nkafka', 'secret');
    const { code, stdout } = await ran;
    expect(code).toBe(0);
    const [first, second, ...rest] = stdout.split('\n');
    expect(first).toMatch(
      /^[\d:.]{12} {2}kafka {2}orders {2}key=order-17 {2}type=created {2}6 B {2}(0 s|\d+ ms|[\d.]+ s) {2}id=id-7$/,
    );
    expect(second).toContain('key=\\u{1b}[2Jgone\\nkafka');
    expect(rest).toEqual(['']);
    expect(stdout).not.toContain('secret');
    await expect.poll(() => tap.open).toBe(false);
  });

  it('prints payloads only where the configuration lets it', async () => {
    const refused = await outboxRelay('tap', '--url', url, '--payload');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('admin.tap: payload')]);
    await server.close(0);
    await start('payload');
    const ran = outboxRelay('tap', '--url', url, '--payload', '--limit', '1', '--key', 'b', '--json');
    await listening();
    flow('a', 'other');
    flow('b', 'body');
    expect(JSON.parse((await ran).stdout)).toMatchObject({ key: 'b', payload: 'body', payloadEncoding: 'utf8' });
  });

  it('fails when the relay ends before the limit', async () => {
    const ran = outboxRelay('tap', '--url', url, '--limit', '2');
    await listening();
    flow('a', 'x');
    await server.close(1_000);
    expect(await ran).toMatchObject({ code: 1, stdout: expect.stringContaining('key=a') as string });
  });

  it('is refused when it is off, beyond loopback, to too many, and for what makes no sense', async () => {
    const ask = async (query: string): Promise<number> => (await fetch(`${url}/tap?${query}`)).status;
    for (const query of ['rate=0', 'rate=101', 'limit=x', 'payload=yes', 'bogus=1'])
      expect([query, await ask(query)]).toEqual([query, 400]);
    const head = await fetch(`${url}/tap`, { method: 'HEAD' });
    expect([head.status, tap.open]).toEqual([200, false]);
    const many = Array.from({ length: 4 }, () => new AbortController());
    for (const { signal } of many) await fetch(`${url}/tap`, { signal });
    expect(await ask('')).toBe(429);
    for (const each of many) each.abort();
    await expect.poll(() => tap.open).toBe(false);
    await server.close(0);
    await start('off');
    expect(await ask('')).toBe(403);
    await server.close(0);
    await start('payload', '0.0.0.0');
    expect(await ask('')).toBe(403);
  });
});

describe('the terminal', () => {
  it('is drawn over in place, and nothing wraps or runs out of it', () => {
    const written: string[] = [];
    const screen = new Screen({ isTTY: true, columns: 10, rows: 4, write: (text) => written.push(text) });
    screen.draw(['a', '\x1b[31mred\x1b[39m', 'x'.repeat(30)]);
    screen.draw(['1', '2', '3', '4', '5']);
    expect(written).toEqual([
      '\x1b[2J\x1b[Ha\x1b[K\n\x1b[31mred\x1b[39m\x1b[K\nxxxxxxxxx…\x1b[K\n\x1b[J',
      '\x1b[H1\x1b[K\n2\x1b[K\n... 3 lin…\x1b[K\n\x1b[J',
    ]);
  });

  it('is none for a pipe or a dumb one', () => {
    const write = (): boolean => true;
    expect(Screen.fits({ write })).toBe(false);
    vi.stubEnv('TERM', 'dumb');
    expect(Screen.fits({ isTTY: true, write })).toBe(false);
    vi.stubEnv('TERM', 'xterm');
    expect(Screen.fits({ isTTY: true, write })).toBe(true);
    vi.unstubAllEnvs();
  });

  it('gets figures and texts that it can show', () => {
    expect([0, 1023, 1536, 150 * 1024, 5 * 1024 ** 3].map(bytesText)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '150 KiB',
      '5.0 GiB',
    ]);
    expect(printable('a\tb\r\n\u202eé😀\u0007')).toBe('a\\tb\\r\\n\\u{202e}é😀\\u{7}');
  });
});
