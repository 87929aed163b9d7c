import { describe, expect, it } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { PublisherListener } from '../../src/core/publisher.ts';
import { Outlet } from '../../src/relay/outlet.ts';
import type { Settling, SettlingRow } from '../../src/relay/settling.ts';
import { noTelemetry } from '../support/simulation/telemetry.ts';
import { message } from './relay-support.ts';

/** More than a flood keeps in flight, and far less than the limit. */
const MANY = 4_500;
const LIMIT = 20_000;

/** An outlet whose broker acknowledges everything at once, and whose deletions are the test's. */
async function openOutlet() {
  const deletions: SettlingRow[] = [];
  let listener: PublisherListener | undefined;
  const session = {
    enqueue: (messages: readonly OutgoingMessage[]) => listener?.acknowledged(messages),
    close: () => Promise.resolve(),
  };
  const outlet = new Outlet(
    {
      destination: 'd',
      publisher: {
        open: (given: PublisherListener) => {
          listener = given;
          return Promise.resolve(session);
        },
      },
      onSession: () => undefined,
      router: {},
      parkedStore: {},
      settling: { push: (rows: readonly SettlingRow[]) => deletions.push(...rows) } as unknown as Settling,
      mayPublish: () => true,
      telemetry: noTelemetry().destination('d'),
      memoryBytes: 32 * 1024 * 1024,
      undeletedRows: LIMIT,
      parkedRows: 1,
      keepsPublished: false,
    } as unknown as ConstructorParameters<typeof Outlet>[0],
    {
      progress: () => undefined,
      sessionFailed: () => expect.fail('no session fails here'),
      halt: () => expect.fail('nothing halts here'),
      keyReleased: () => undefined,
      roomChanged: () => undefined,
    },
  );
  await outlet.open(new AbortController().signal, false);
  return { outlet, deletions };
}

/** Messages of so many rows that follow position `after`. */
function routed(after: number, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const made = message(BigInt(after + index + 1));
    return { destination: 'd', row: made.row, message: made, fault: null };
  });
}

describe('the outlet', () => {
  it('slows down for deletions that do not keep up, and goes on when they have', async () => {
    const { outlet, deletions } = await openOutlet();
    outlet.publish(routed(0, MANY));
    expect([outlet.pace.full, outlet.room.full]).toEqual([true, false]);
    for (const row of deletions) outlet.settled(row);
    expect(outlet.pace.full).toBe(false);
  });

  it('does not slow down for rows whose deletion waits for somebody else, until they are at the limit', async () => {
    const { outlet, deletions } = await openOutlet();
    outlet.publish(routed(0, MANY));
    for (const row of deletions) outlet.deferred(row);
    expect(outlet.pace.full).toBe(false);
    outlet.publish(routed(MANY, LIMIT - MANY));
    expect(outlet.room.full).toBe(true);
    for (const row of deletions) outlet.settled(row);
    expect([outlet.pace.full, outlet.room.full]).toEqual([false, false]);
    expect(outlet.ledger.deferred).toBe(0);
  });
});
