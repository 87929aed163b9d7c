import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { liveness, readiness } from '../../src/admin/health.ts';
import { probeEndpoints, type ProbeSources } from '../../src/admin/probes.ts';
import { AdminServer } from '../../src/admin/server.ts';
import type { Log } from '../../src/core/log.ts';
import type { DestinationStateName, DestinationStatus, StatusReport } from '../../src/core/status.ts';
import { destinationStatus, statusReport as report } from '../support/status-report.ts';

const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => SILENT };

function ignore(): void {
  return;
}

function destination(state: DestinationStateName, error: DestinationStatus['error'] = null): DestinationStatus {
  return destinationStatus({ state, error });
}

describe('readiness', () => {
  const error = { at: '', code: 'broker_unreachable' as const, message: '', remedy: '' };
  it.each([
    [report(), true, 'leader'],
    [report({ destinations: [destination('catchup')] }), true, 'leader'],
    [report({ role: 'standby', destinations: [] }), true, 'standby'],
    [report({ role: 'starting' }), false, 'starting'],
    [report({ role: 'stopping' }), false, 'stopping'],
    [report({ destinations: [destination('streaming'), destination('halted')] }), false, 'kafka is halted'],
    [report({ destinations: [destination('down', error)] }), false, 'kafka is down (broker_unreachable)'],
  ])('%#', (status, ok, reason) => {
    expect(readiness(status)).toEqual({ ok, reason });
  });
});

describe('liveness', () => {
  it.each([
    [null, true],
    [60, true],
    [61, false],
  ])('of a heartbeat %j s ago is %j', (heartbeatAgeSeconds, ok) => {
    // A broker that is down is no reason to restart.
    expect(liveness(report({ heartbeatAgeSeconds, destinations: [destination('down')] })).ok).toBe(ok);
  });
});

describe('the admin server', () => {
  const servers: AdminServer[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close(0))));

  const start = async (sources: Partial<ProbeSources> = {}, port = 0): Promise<AdminServer> => {
    const contentType = 'text/plain; version=0.0.4; charset=utf-8';
    const metrics = { expose: () => Promise.resolve({ contentType, body: 'm 1\n' }) };
    const server = new AdminServer(
      { host: '127.0.0.1', port },
      probeEndpoints({ metrics, status: () => report(), ...sources }),
      SILENT,
    );
    servers.push(server);
    await server.listen();
    return server;
  };
  const ask = (server: AdminServer, path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}${path}`, init);

  it('tells metrics, status and health', async () => {
    const server = await start();
    expect(server.port).toBeGreaterThan(0);
    const metrics = await ask(server, '/metrics?x=1');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toBe('m 1\n');
    expect(await (await ask(server, '/status')).json()).toEqual(report());
    expect(await (await ask(server, '/healthz')).text()).toBe('alive\n');
    expect(await (await ask(server, '/readyz')).text()).toBe('leader\n');
  });

  it('tells metrics in the format that is asked for', async () => {
    const expose = (accept: string | undefined) => Promise.resolve({ contentType: 'text/x', body: `${accept}\n` });
    const server = await start({ metrics: { expose } });
    const answer = await ask(server, '/metrics', { headers: { accept: 'application/openmetrics-text' } });
    expect([answer.headers.get('content-type'), answer.headers.get('vary')]).toEqual(['text/x', 'accept']);
    expect(await answer.text()).toBe('application/openmetrics-text\n');
  });

  it('answers 503 with the reason when not ready or not alive', async () => {
    const server = await start({ status: () => report({ role: 'starting', heartbeatAgeSeconds: 1e3 }) });
    const answers = await Promise.all(['/readyz', '/healthz'].map((path) => ask(server, path)));
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual([
      'starting\n',
      'housekeeping has not come round for 1000 s\n',
    ]);
  });

  it('answers HEAD without a body, other methods with 405, other paths with 404', async () => {
    const server = await start();
    const head = await ask(server, '/metrics', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '4', '']);
    const post = await ask(server, '/metrics', { method: 'POST', body: 'x' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await ask(server, '/metrics/')).status).toBe(404);
    expect((await ask(server, '/toString', { method: 'POST' })).status).toBe(404);
  });

  it('answers 500 when what it asks fails, and goes on', async () => {
    let healthy = false;
    const status = (): StatusReport => {
      if (!healthy) throw new Error('broken');
      return report();
    };
    const server = await start({ status });
    const broken = await ask(server, '/status');
    expect([broken.status, await broken.text()]).toEqual([500, 'broken\n']);
    healthy = true;
    expect((await ask(server, '/status')).status).toBe(200);
  });

  it('refuses headers beyond any reason', async () => {
    const server = await start();
    const answer = await ask(server, '/status', { headers: { 'x-long': 'x'.repeat(10_000) } });
    expect(answer.status).toBe(431);
  });

  it('says clearly that its port is taken', async () => {
    const { port } = await start();
    await expect(start({}, port)).rejects.toMatchObject({
      code: 'config_invalid',
      message: `admin.host 127.0.0.1, admin.port ${port}: another process listens there already`,
    });
  });

  it('closes within its deadline although a client holds a request open, and twice', async () => {
    const server = await start();
    const socket = connect(server.port, '127.0.0.1');
    const ended = new Promise<void>((resolve) => {
      socket.on('close', () => resolve());
    });
    socket.on('error', ignore);
    await new Promise<void>((resolve) => {
      socket.write('GET /metrics HTTP/1.1\r\n', () => resolve());
    });
    await ask(server, '/metrics');
    await Promise.all([server.close(10), ended]);
    await server.close(10);
    await expect(ask(server, '/metrics')).rejects.toThrow();
  });
});
