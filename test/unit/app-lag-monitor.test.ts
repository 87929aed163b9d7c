import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LagMonitor } from '../../src/app/lag-monitor.ts';
import { columnLayout } from '../../src/core/row.ts';
import type { Telemetry } from '../../src/observe/telemetry.ts';

const TABLE = {
  schema: 'public',
  name: 'outbox',
  position: { name: 'position', type: 'bigint' },
  id: { name: 'id', type: 'uuid' },
  createdAt: null,
  reads: [],
  layout: columnLayout([]),
};
const OUTBOX = { table: TABLE, shard: 0, destinations: ['kafka'], filters: { filterSql: () => null } };

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

test('a monitor that is stopped while it connects does not look again', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const postgres = {
    hosts: [{ host: '127.0.0.1', port }],
    database: 'd',
    user: 'u',
    password: null,
    tls: null,
    connectTimeoutMs: 60_000,
    applicationName: 'test',
  };
  const lagUnknown = vi.fn();
  const telemetry = { lagUnknown, instancesSampled: vi.fn() } as unknown as Telemetry;
  const monitor = new LagMonitor(postgres, OUTBOX, telemetry, () => null);
  const connected = once(server, 'connection');
  monitor.start();
  await connected;
  const stopped = monitor.stop();
  await vi.advanceTimersByTimeAsync(2_000);
  await stopped;
  await vi.waitFor(() => expect(lagUnknown).toHaveBeenCalledTimes(1));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(lagUnknown).toHaveBeenCalledTimes(1);
  server.close();
});
