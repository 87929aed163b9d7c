import { expect, test, vi } from 'vitest';
import type { TablePass } from '../../src/core/capture.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { Publisher, PublisherListener } from '../../src/core/publisher.ts';
import type { Routed } from '../../src/core/routing.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import { Relay } from '../../src/relay/relay.ts';
import { noTelemetry } from '../support/simulation/telemetry.ts';
import { message, row } from './relay-support.ts';

const OPTIONS = {
  pass: { rows: 100, timeMs: 60_000 },
  pollIntervalMs: 60_000,
  handoverRows: 100,
  streamAllowed: false,
  memoryBytes: 1000,
  undeletedRows: 100,
  parkedRows: 100,
  keepsPublished: false,
  stream: { retryMs: 60_000, stallMs: 60_000 },
  auditIntervalMs: 60_000,
  parkedIntervalMs: 60_000,
};

const nothing = (): Promise<never> => Promise.reject(new RelayError('internal', 'not expected'));

/** A relay with one destination that polls a table of three rows, of which `faulty` ones cannot become messages. */
function relayOf(enqueued: (listener: PublisherListener) => void, faulty: readonly bigint[] = []): Relay {
  const pass: TablePass = {
    snapshot: { xmin: 1n, xmax: 1n, running: new Set<bigint>() },
    insertLsn: 1n,
    complete: true,
    async *rows() {
      yield await Promise.resolve([row(1n), row(2n), row(3n)]);
    },
    close: () => Promise.resolve(),
  };
  const publisher: Publisher = {
    open: (listener) =>
      Promise.resolve({
        enqueue: () => enqueued(listener),
        release: () => undefined,
        discard: () => [],
        publishOne: nothing,
        close: () => Promise.resolve(),
      }),
    check: nothing,
  };
  const route = (each: OutboxRow): Routed =>
    faulty.includes(each.position)
      ? { destination: 'd', row: each, message: null, fault: FAULT, key: null, route: 0 }
      : { destination: 'd', row: each, message: { ...message(each.position), row: each }, fault: null };
  const reader = { open: () => Promise.resolve(pass), assignXid: nothing };
  return new Relay(
    {
      destinations: [{ name: 'd', publisher, reader, onSession: () => undefined }],
      streamSource: { open: nothing },
      router: { route, onError: () => 'halt', deadLetter: () => null },
      settler: { settle: nothing },
      parkedStore: { load: () => Promise.resolve([]), park: nothing, bury: nothing },
      auditor: { leavesOutParkedKeys: () => true, look: nothing, stillThere: nothing, rows: nothing },
      telemetry: noTelemetry(),
      mayPublish: () => true,
    },
    OPTIONS,
  );
}

const FAULT = new RelayError('route_headers', 'simulated');
const FOR_EVER_MS = 600_000;
const never = new AbortController().signal;

test('a drain does not wait for a session that has failed', async () => {
  let enqueued: (listener: PublisherListener) => void = () => undefined;
  const sent = new Promise<PublisherListener>((resolve) => (enqueued = resolve));
  const relay = relayOf((listener) => enqueued(listener));
  await relay.start();
  const listener = await sent;
  const stopped = relay.stop(FOR_EVER_MS, never);
  listener.failed(new RelayError('broker_unreachable', 'simulated'));
  await stopped;
  expect(relay.destinations.map(({ outlet }) => outlet.ledger.sent)).toEqual([0]);
});

test('nothing is sent behind a row by which the destination halts, nor waited for', async () => {
  let batches = 0;
  const relay = relayOf(() => batches++, [2n]);
  await relay.start();
  await vi.waitFor(() => expect(relay.destinations[0]?.state.name).toBe('halted'));
  await relay.stop(FOR_EVER_MS, never);
  expect(batches).toBe(1);
});
