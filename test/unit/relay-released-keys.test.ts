/** What passes do while a key is let in again in the table, and this relay has not heard of it yet. */
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { PassRequest, TablePass } from '../../src/core/capture.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { Publisher } from '../../src/core/publisher.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import type { ParkedRef } from '../../src/core/store.ts';
import { Relay } from '../../src/relay/relay.ts';
import { noTelemetry } from '../support/simulation/telemetry.ts';
import { message, row } from './relay-support.ts';

const PASS_ROWS = 100;
const OPTIONS = {
  pass: { rows: PASS_ROWS, timeMs: 60_000 },
  pollIntervalMs: 1,
  handoverRows: 100,
  streamAllowed: false,
  memoryBytes: 1_000_000,
  undeletedRows: 10_000,
  parkedRows: 100,
  keepsPublished: false,
  stream: { retryMs: 60_000, stallMs: 60_000 },
  auditIntervalMs: 60_000,
  // the marks are not read again while the test runs
  parkedIntervalMs: 60_000,
};

/** More rows of the key than a pass may take, and behind them a row of another. */
const OF_THE_KEY = Array.from({ length: 3 * PASS_ROWS }, (_, at) => row(BigInt(at + 1)));
const BEHIND = row(BigInt(OF_THE_KEY.length + 1));
const MARK: ParkedRef = { destination: 'd', position: 1n, id: OF_THE_KEY[0]!.id, key: 'k', attempts: 1 };

const nothing = (): Promise<never> => Promise.reject(new RelayError('internal', 'not expected'));

/** As SQL has it once the mark has been deleted: the key's rows are read like any other, up to the bound. */
function pass({ maxRows, wanted = () => true }: PassRequest): TablePass {
  const found = [...OF_THE_KEY, BEHIND].filter(wanted);
  return {
    snapshot: { xmin: 1n, xmax: 1n, running: new Set<bigint>() },
    insertLsn: 1n,
    complete: found.length <= maxRows,
    async *rows() {
      yield await Promise.resolve(found.slice(0, maxRows));
    },
    close: () => Promise.resolve(),
  };
}

it('passes get past the rows of a key that was let in again, before this relay has heard of it', async () => {
  let publish: (position: bigint) => void = () => undefined;
  const published = new Promise<bigint>((resolve) => (publish = resolve));
  const publisher: Publisher = {
    open: () =>
      Promise.resolve({
        enqueue: ([first]) => first !== undefined && publish(first.row.position),
        release: () => undefined,
        discard: () => [],
        publishOne: nothing,
        close: () => Promise.resolve(),
      }),
    check: nothing,
  };
  const route = (each: OutboxRow) => ({
    destination: 'd',
    row: each,
    message: { ...message(each.position, { key: each.position === BEHIND.position ? 'other' : 'k' }), row: each },
    fault: null,
  });
  // a turn of the event loop a pass, so that one that finds nothing does not keep the test from ending
  const reader = { open: (request: PassRequest) => setImmediate(pass(request)), assignXid: nothing };
  const relay = new Relay(
    {
      destinations: [{ name: 'd', publisher, reader, onSession: () => undefined }],
      streamSource: { open: nothing },
      router: { route, onError: () => 'halt', deadLetter: () => null },
      settler: { settle: nothing },
      parkedStore: { load: () => Promise.resolve([MARK]), park: nothing, bury: nothing },
      auditor: { leavesOutParkedKeys: () => true, look: nothing, stillThere: nothing, rows: nothing },
      telemetry: noTelemetry(),
      mayPublish: () => true,
    },
    OPTIONS,
  );
  onTestFinished(() => relay.abort());
  await relay.start();
  expect(await published).toBe(BEHIND.position);
});
