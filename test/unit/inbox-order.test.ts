/** What decides in which order messages are handled and acknowledged: pure, on random histories. */
import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ConsumeSettings } from '../../src/inbox/consume-options.ts';
import { Intake } from '../../src/inbox/intake.ts';
import { KeyLanes } from '../../src/inbox/key-lanes.ts';
import type { InboxClient } from '../../src/inbox/client.ts';
import type { Delivery } from '../../src/inbox/message.ts';
import { PartitionProgress } from '../../src/inbox/partition-progress.ts';

function delivery(number: number, orderKey: string | null): Delivery {
  const nothing = { type: null, headers: {}, body: null, source: {}, position: null };
  return { id: String(number), key: orderKey, orderKey, ...nothing };
}

const SETTINGS: ConsumeSettings<InboxClient, unknown> = {
  handler: () => Promise.resolve(),
  decode: 'json',
  identify: (given) => given,
  concurrency: 3,
  maxInFlight: 1000,
};

/** An inbox that takes its time: each delivery makes so many attempts, and each attempt so many turns. */
class SlowInbox {
  readonly consumer = 'slow';
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  running = 0;
  mostRunning = 0;
  readonly #attempts: (id: string) => number;

  constructor(attempts: (id: string) => number) {
    this.#attempts = attempts;
  }

  readonly process: ConstructorParameters<typeof Intake<InboxClient, unknown>>[0]['process'] = async (
    { id },
    { slots, stopping },
  ) => {
    const name = id ?? '';
    this.begun.push(name);
    for (let left = this.#attempts(name); left > 0; left--) {
      if (stopping.aborted) return 'abandoned';
      await slots.execute(async () => {
        this.mostRunning = Math.max(this.mostRunning, ++this.running);
        for (let turns = Number(name) % 4; turns >= 0; turns--) await setImmediate();
        this.running--;
      });
      // The pause between two attempts, in which the slot is another's.
      await setImmediate();
    }
    this.ended.push(name);
    return 'handled';
  };
}

const keys = fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd')), { minLength: 1, maxLength: 60 });

describe('an intake', () => {
  it('handles each key in order, over retries too, no more at a time than it may, and all', async () => {
    await fc.assert(
      fc.asyncProperty(
        keys,
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 60, maxLength: 60 }),
        async (of, tries) => {
          const inbox = new SlowInbox((id) => tries[Number(id)] ?? 1);
          const intake = new Intake(inbox, SETTINGS);
          const settled: number[] = [];
          const stopping = new AbortController().signal;
          for (const [number, key] of of.entries())
            intake.accept(delivery(number, key), { stopping, settled: () => settled.push(number) });
          await intake.drain();
          expect(settled.toSorted((a, b) => a - b)).toEqual(of.map((_, number) => number));
          expect(inbox.mostRunning).toBeLessThanOrEqual(SETTINGS.concurrency);
          for (const key of ['a', 'b', 'c', 'd']) {
            const expected = of.flatMap((each, number) => (each === key ? [String(number)] : []));
            expect(inbox.begun.filter((id) => of[Number(id)] === key)).toEqual(expected);
            expect(inbox.ended.filter((id) => of[Number(id)] === key)).toEqual(expected);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('lets a key that fails hold nothing but itself, not even a slot while it pauses', async () => {
    const inbox = new SlowInbox((id) => (Number(id) < 3 ? Infinity : 1));
    const intake = new Intake(inbox, SETTINGS);
    const stopping = new AbortController();
    // As many failing keys as there are slots, one more message behind each of them, and others.
    const of = ['x', 'y', 'z', 'x', 'y', 'z', 'a', 'b', null];
    const done = new Promise<void>((resolve) => {
      let settled = 0;
      for (const [number, key] of of.entries())
        intake.accept(delivery(number, key), {
          stopping: stopping.signal,
          settled: () => (++settled === 3 ? resolve() : undefined),
        });
    });
    await done;
    expect(inbox.ended.toSorted()).toEqual(['6', '7', '8']);
    stopping.abort();
    await intake.drain();
    expect(inbox.ended).toHaveLength(3);
  });

  it('is full at its bound, and has room again when something has left', async () => {
    const inbox = new SlowInbox(() => 1);
    const intake = new Intake(inbox, { ...SETTINGS, maxInFlight: 2 });
    const stopping = new AbortController();
    const taking = { stopping: stopping.signal, settled: () => undefined };
    intake.accept(delivery(0, 'a'), taking);
    expect(intake.isFull).toBe(false);
    intake.accept(delivery(1, 'a'), taking);
    expect(intake.isFull).toBe(true);
    await intake.room(stopping.signal);
    expect([intake.isFull, inbox.ended]).toEqual([false, ['0']]);
    await intake.drain();
  });

  it('has those without a key go in turn with others where it is told to', async () => {
    const inbox = new SlowInbox(() => 1);
    const intake = new Intake(inbox, SETTINGS);
    const taking = { stopping: new AbortController().signal, settled: () => undefined, inTurnWith: 'all' };
    for (const number of [3, 2, 1, 0]) intake.accept(delivery(number, null), taking);
    await intake.drain();
    expect(inbox.ended).toEqual(['3', '2', '1', '0']);
  });

  it('finds no id where the function that should find it fails', async () => {
    const seen: (string | null)[] = [];
    const inbox = {
      consumer: 'x',
      process: ({ id }: Delivery) => {
        seen.push(id);
        return Promise.resolve('dead-lettered' as const);
      },
    };
    const identify = (): Delivery => {
      throw new TypeError('no such header');
    };
    const intake = new Intake(inbox, { ...SETTINGS, identify });
    intake.accept(delivery(1, 'a'), { stopping: new AbortController().signal, settled: () => undefined });
    await intake.drain();
    expect(seen).toEqual([null]);
  });
});

describe('lanes', () => {
  it('go on behind a task that throws, and forget keys that have nothing left', async () => {
    const lanes = new KeyLanes();
    const first = lanes.run('a', () => Promise.reject(new Error('no')));
    const second = lanes.run('a', () => Promise.resolve(2));
    await expect(first).rejects.toThrow('no');
    expect(await second).toBe(2);
    await setImmediate();
    expect(lanes.keys).toBe(0);
  });
});

describe('the progress of a partition', () => {
  const offsets = fc.uniqueArray(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 40 });

  it('is the last of the settled prefix, in whatever order records are settled, over gaps in the offsets', () => {
    fc.assert(
      fc.property(offsets, fc.infiniteStream(fc.nat()), (of, choices) => {
        const sorted = of.toSorted((a, b) => a - b).map((offset) => ({ offset: BigInt(offset) }));
        const progress = new PartitionProgress<{ offset: bigint }>();
        const open = sorted.map((record, index) => ({ index, settle: progress.received(record) }));
        const settled = new Set<number>();
        let committed = -1;
        while (open.length > 0) {
          const [{ index, settle } = { index: 0, settle: () => undefined }] = open.splice(
            (choices.next().value ?? 0) % open.length,
            1,
          );
          settle();
          settled.add(index);
          const taken = progress.takeSettled();
          let prefix = -1;
          while (settled.has(prefix + 1)) prefix++;
          expect(taken).toBe(prefix > committed ? sorted[prefix] : null);
          committed = Math.max(committed, prefix);
        }
        expect(committed).toBe(sorted.length - 1);
      }),
    );
  });

  it('begins anew when the records come again: what was settled before says nothing of them', () => {
    const progress = new PartitionProgress<{ offset: bigint }>();
    const records = [5n, 6n, 7n].map((offset) => ({ offset }));
    const [five, six, seven] = records.map((record) => progress.received(record));
    six!();
    const again = records.map((record) => progress.received(record));
    five!();
    seven!();
    expect(progress.takeSettled()).toBeNull();
    again[1]!();
    expect(progress.takeSettled()).toBeNull();
    again[0]!();
    expect(progress.takeSettled()).toBe(records[1]);
    again[2]!();
    expect(progress.takeSettled()).toBe(records[2]);
  });
});
