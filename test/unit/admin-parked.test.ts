import { afterEach, describe, expect, it } from 'vitest';
import { CHANGED, type ParkedDesk, parkedEndpoints } from '../../src/admin/parked.ts';
import { pageEndpoints } from '../../src/admin/page.ts';
import { AdminServer } from '../../src/admin/server.ts';
import type { Log, LogFields } from '../../src/core/log.ts';

const TOKEN = '0123456789abcdef';

describe('parked rows over the admin port', () => {
  const servers: AdminServer[] = [];
  const lines: LogFields[] = [];
  const asked: unknown[] = [];
  afterEach(async () => {
    lines.length = 0;
    asked.length = 0;
    await Promise.all(servers.splice(0).map((server) => server.close(0)));
  });

  const note = (fields: LogFields) => void lines.push(fields);
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };

  async function start(desk: Partial<ParkedDesk> = {}, token: string | null = TOKEN): Promise<string> {
    const listing = { asOf: '2026-01-01T00:00:00.123456Z', groups: [], rows: [] };
    const endpoints = parkedEndpoints(
      {
        list: (...args) => Promise.resolve(asked.push(args)).then(() => listing),
        change: (...args) => Promise.resolve(asked.push(args)).then(() => 3),
        ...desk,
      },
      log,
    );
    const server = new AdminServer({ host: '127.0.0.1', port: 0, token }, endpoints, log);
    servers.push(server);
    await server.listen();
    return `http://127.0.0.1:${server.port}`;
  }

  const post = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}`, ...headers },
    });

  it('are changed as they are named, at most so many at a time, and the log tells who did', async () => {
    const url = await start();
    const selection = { code: 'message_too_large', position: '12', parkedUntil: '2026-01-01T00:00:00.123456Z' };
    const answer = await post(`${url}/parked/retry`, selection);
    expect(await answer.json()).toEqual({ rows: 3, more: false });
    expect(asked).toEqual([['retry', { ...selection, position: 12n }, CHANGED]]);
    expect(lines).toMatchObject([
      { action: 'retry', rows: 3, from: '127.0.0.1', selection: { code: 'message_too_large' } },
    ]);
    await post(`${url}/parked/discard`, { all: true });
    expect(asked[1]).toEqual(['discard', {}, CHANGED]);
  });

  it('tells that there is more', async () => {
    const url = await start({ change: () => Promise.resolve(CHANGED) });
    expect(await (await post(`${url}/parked/retry`, { all: true })).json()).toEqual({ rows: CHANGED, more: true });
  });

  it.each([
    ['nothing', {}, 400],
    ['only a time', { parkedUntil: '2026-01-01T00:00:00Z' }, 400],
    ['all and some', { all: true, code: 'x' }, 400],
    ['what is unknown', { table: 'x' }, 400],
    ['a number', { position: 1 }, 400],
    ['SQL for a position', { position: '1 OR 1=1' }, 400],
    ['SQL for a time', { code: 'x', parkedUntil: "'; DROP TABLE outbox" }, 400],
    ['a NUL', { key: 'a\0b' }, 400],
    ['a list', '[]', 400],
    ['no JSON', '{', 400],
    ['too much', JSON.stringify({ key: 'x'.repeat(5000) }), 413],
  ])('refuse %s', async (_, body, code) => {
    const url = await start();
    expect([(await post(`${url}/parked/discard`, body)).status, asked, lines]).toEqual([code, [], []]);
    // the connection has not been lost over it
    expect((await post(`${url}/parked/discard`, { all: true })).status).toBe(200);
  });

  it('refuse what a form of another site could send, and who has no token', async () => {
    const url = await start();
    expect((await post(`${url}/parked/discard`, '{"all":true}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(`${url}/parked/discard`, { all: true }, { authorization: '' })).status).toBe(401);
    expect((await post(`${await start({}, null)}/parked/discard`, { all: true })).status).toBe(403);
    expect((await fetch(`${url}/parked/discard`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(405);
    expect(asked).toEqual([]);
  });

  it('are listed by query, within bounds', async () => {
    const url = await start({}, null);
    expect(await (await fetch(`${url}/parked?limit=7&key=a%20b`)).json()).toMatchObject({ rows: [] });
    expect(asked).toEqual([[{ key: 'a b' }, 7]]);
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'table=x'])
      expect([query, (await fetch(`${url}/parked?${query}`)).status]).toEqual([query, 400]);
  });

  it('do not pile up', async () => {
    const waiting: (() => void)[] = [];
    const url = await start({ change: () => new Promise((resolve) => waiting.push(() => resolve(1))) });
    const answers = Array.from({ length: 6 }, async () => (await post(`${url}/parked/retry`, { all: true })).status);
    await expect.poll(() => waiting.length).toBe(1);
    const first = await Promise.race(answers);
    expect(first).toBe(429);
    for (let done = 0; done < 4; done++) {
      await expect.poll(() => waiting.length).toBe(done + 1);
      waiting[done]?.();
    }
    expect((await Promise.all(answers)).sort()).toEqual([200, 200, 200, 200, 429, 429]);
  });
});

describe('the page', () => {
  it('and all its files are served, each of a type that is run or shown as what it is', async () => {
    const log: Log = { debug: silent, info: silent, warn: silent, error: silent, child: () => log };
    const endpoints = pageEndpoints({ history: () => [], config: () => Promise.resolve('') });
    const server = new AdminServer({ host: '127.0.0.1', port: 0 }, endpoints, log);
    await server.listen();
    try {
      const html = await (await fetch(`http://127.0.0.1:${server.port}/`)).text();
      // no style, script or handler within the page itself
      expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)|\son\w+=/);
      for (const { path } of endpoints.filter(({ access }) => access === 'anyone')) {
        const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
        expect([path, answer.status, (await answer.text()).length > 20]).toEqual([path, 200, true]);
        expect(answer.headers.get('content-type')).toMatch(
          /^(text\/(html|css|javascript); charset=utf-8|image\/svg\+xml|application\/json)$/,
        );
      }
      expect((await fetch(`http://127.0.0.1:${server.port}/history?after=x`)).status).toBe(400);
    } finally {
      await server.close(0);
    }
  });
});

function silent(): void {
  return;
}
