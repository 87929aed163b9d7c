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
  /** Positions of rows of another destination. */
  let foreign: (position: bigint) => boolean;
  let waits: number;

  const keyOf = ({ position }: RowRef): string =>
    position >= WAITING.from && position <= WAITING.to ? 'parked' : 'free';

  /** A table that cannot say which key a row has. */
  const auditor: AuditParts['auditor'] = {
    look: (_, limit, from) => {
      looks.push(from?.after ?? null);
      const until = from?.until ?? [...table.values()].at(-1)?.position ?? 0n;
      const scanned: RowRef[] = [];
      for (const one of table.values()) {
        if (scanned.length === limit) break;
        if (from === null || one.position > from.after) scanned.push(one);
      }
      const after = scanned.at(-1)?.position ?? until;
      const present = scanned.filter(({ position }) => !foreign(position));
      return Promise.resolve({ present, next: after < until ? { after, until } : null, insertLsn: 0n });
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
      stream: {
        whenPassed: () => {
          waits++;
          return Promise.resolve(true);
        },
      },
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
    waits = 0;
    foreign = () => false;
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
    expect(looks.slice(20)).toEqual([-100_001n]);
    await subject.run();
    expect(looks[21]).toBe(null);
  });

  it('finds a straggler behind the backlog of another destination, in looks of so many rows, audit after audit', async () => {
    fill(220_001);
    foreign = (position) => position < 220_001n;
    const subject = audit();
    await subject.run();
    expect([looks.length, looks.at(-1), waits]).toEqual([20, 190_000n, 0]);
    await subject.run();
    expect([looks.slice(20), waits, told]).toEqual([[200_000n, 210_000n, 220_000n], 1, 1]);
    await subject.run();
    expect(looks[23]).toBe(null);
  });

  it('comes back to the bottom although the backlog of another destination grows faster than it goes through it', async () => {
    fill(210_000);
    foreign = (position) => position > 1n;
    ledger.send(message(1n));
    const subject = audit();
    await subject.run();
    expect(looks).toHaveLength(20);
    fill(420_000);
    await subject.run();
    expect([looks.slice(20), told]).toEqual([[200_000n], 0]);
    ledger.forget(ref(row(1n)));
    await subject.run();
    expect([looks[21], told]).toEqual([null, 1]);
  });
});
