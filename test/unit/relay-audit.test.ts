import { beforeEach, describe, expect, it } from 'vitest';
import type { Routed } from '../../src/core/routing.ts';
import type { OutboxRow, RowRef } from '../../src/core/row.ts';
import { DestinationAudit, type AuditParts } from '../../src/relay/audit.ts';
import { Ledger } from '../../src/relay/ledger.ts';
import type { DestinationEvent } from '../../src/relay/machine.ts';
import { ParkedKeys } from '../../src/relay/parked-keys.ts';
import { NOBODY, message, ref, row } from './relay-support.ts';

/** Positions of rows that wait behind a parked one, of the key `parked`; all others have the key `free`. */
const WAITING = { from: 2n, to: 25_000n };

describe('the audit', () => {
  let table: Map<bigint, RowRef>;
  let looks: (bigint | null)[];
  let read: number;
  let told: number;
  let events: DestinationEvent[];
  let parked: ParkedKeys;
  let ledger: Ledger;

  const keyOf = ({ position }: RowRef): string =>
    position >= WAITING.from && position <= WAITING.to ? 'parked' : 'free';

  /** A table that cannot say which key a row has. */
  const auditor: AuditParts['auditor'] = {
    look: (_, limit, after) => {
      looks.push(after);
      const present = [...table.values()].filter(({ position }) => after === null || position > after);
      return Promise.resolve({ present: present.slice(0, limit), insertLsn: 0n });
    },
    stillThere: (_, refs) => Promise.resolve(refs.filter(({ position }) => table.has(position))),
    rows: (refs) => {
      read += refs.length;
      return Promise.resolve(refs.map(({ position, id }) => row(position, id)));
    },
  };
  const route = (one: OutboxRow): Routed => {
    const routed = message(one.position, { key: keyOf(one) });
    return { destination: 'kafka', row: one, message: routed, fault: null };
  };
  const audit = (other: Partial<AuditParts['auditor']> = {}): DestinationAudit =>
    new DestinationAudit({
      auditor: { ...auditor, ...other },
      destination: {
        name: 'kafka',
        state: { name: 'streaming' },
        standing: { since: 1 },
        outlet: { ledger, parked },
        dispatch: (event) => events.push(event),
      },
      stream: { whenPassed: () => Promise.resolve(true) },
      router: { route },
      telemetry: { stragglers: (rows) => (told += rows), failed: (error) => expect.unreachable(String(error)) },
      readParked: () => Promise.resolve(),
    });
  const fill = (rows: number): void => {
    table = new Map(Array.from({ length: rows }, (_, at) => [BigInt(at + 1), ref(row(BigInt(at + 1)))]));
  };

  beforeEach(() => {
    fill(0);
    looks = [];
    read = 0;
    told = 0;
    events = [];
    ledger = new Ledger(NOBODY);
    parked = new ParkedKeys();
  });

  const parkFirst = (): void =>
    parked.park({ position: 1n, id: 'id-1', destination: 'kafka', key: 'parked', attempts: 1 });

  it('tells waiting rows from stragglers by their keys, where SQL cannot, however many wait', async () => {
    parkFirst();
    fill(Number(WAITING.to));
    await audit().run();
    expect([told, events]).toEqual([0, []]);
    fill(Number(WAITING.to) + 2);
    await audit().run();
    expect([told, events.map(({ type }) => type)]).toEqual([2, ['stragglers']]);
    expect(looks).toEqual([null, 10_000n, 20_000n, null, 10_000n, 20_000n]);
  });

  it('takes rows for none that wait behind a row whose mark was written while the second look ran, unseen by it', async () => {
    fill(3);
    const subject = audit({
      stillThere: (_, refs) => {
        // on another session, whose answer comes first
        parkFirst();
        parked.written(ref(row(1n)));
        return Promise.resolve(refs);
      },
    });
    await subject.run();
    expect([told, events]).toEqual([0, []]);
  });

  it('reads no rows where no key is parked, and takes what is in flight for none', async () => {
    fill(3);
    ledger.send(message(2n));
    await audit().run();
    expect([told, read]).toEqual([2, 0]);
  });

  it('goes on behind what the last one has looked at, and begins again at the end', async () => {
    parkFirst();
    table = new Map(
      Array.from({ length: 210_000 }, (_, at) => [BigInt(at), { position: BigInt(at) - 300_000n, id: `id-${at}` }]),
    );
    const subject = audit({ stillThere: () => Promise.resolve([]) });
    await subject.run();
    expect([looks.length, looks[0], looks.at(-1)]).toEqual([20, null, -110_001n]);
    await subject.run();
    expect(looks.slice(20)).toEqual([-100_001n, -90_001n]);
    await subject.run();
    expect(looks[22]).toBe(null);
  });
});
