import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Stream, StreamedTransaction, StreamListener } from '../../src/core/capture.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { VisibilityQueue } from '../../src/relay/visibility-queue.ts';
import { visibleOnly } from '../../src/relay/visible-stream.ts';

function transaction(xid: number, bytes = 1): StreamedTransaction {
  return { xid, commitLsn: BigInt(xid) * 10n, committedAt: 0, rows: [], bytes };
}

/** Sees everything below `xmax` but what runs. */
function snapshot(xmax: number, ...running: number[]): Snapshot {
  const list = running.map(BigInt);
  return {
    xmin: list.reduce((least, xid) => (xid < least ? xid : least), BigInt(xmax)),
    xmax: BigInt(xmax),
    running: new Set(list),
  };
}

describe('the queue of what is not visible yet', () => {
  function drain(queue: VisibilityQueue): (number | bigint)[] {
    const out: (number | bigint)[] = [];
    for (let next = queue.next(); next !== null; next = queue.next())
      out.push(typeof next === 'bigint' ? next : next.xid);
    return out;
  }

  it('gives out the longest prefix that a snapshot shows, with the progress behind it', () => {
    const queue = new VisibilityQueue();
    queue.progress(5n);
    expect(drain(queue)).toEqual([5n]);
    queue.push(transaction(1));
    queue.progress(11n);
    queue.push(transaction(2));
    queue.progress(21n);
    queue.push(transaction(3));
    expect(drain(queue)).toEqual([]);
    expect(queue.show(snapshot(4, 2))).toBe(1);
    expect(drain(queue)).toEqual([1, 11n]);
    expect(queue.waiting).toBe(2);
    queue.progress(31n);
    queue.progress(32n);
    expect(queue.show(snapshot(4))).toBe(2);
    expect(drain(queue)).toEqual([2, 21n, 3, 32n]);
    expect(queue.bytes).toBe(0);
  });

  it('keeps log order, tells nothing before it is visible, and in the end everything', () => {
    const step = fc.oneof(
      fc.constant('push' as const),
      fc.constant('progress' as const),
      fc.constant('next' as const),
      fc.record({ hidden: fc.array(fc.nat(400), { maxLength: 5 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 900 }), (steps) => {
        const queue = new VisibilityQueue();
        const told: (number | bigint)[] = [];
        const shown = new Set<number>();
        let pushed = 0;
        let out: (number | bigint)[] = [];
        for (const each of steps) {
          if (each === 'push') {
            queue.push(transaction(++pushed));
            told.push(pushed);
          } else if (each === 'progress') {
            const lsn = BigInt(told.length) * 1000n;
            queue.progress(lsn);
            if (typeof told.at(-1) === 'bigint') told.pop();
            told.push(lsn);
          } else if (each === 'next') {
            const next = queue.next();
            if (next === null) continue;
            out.push(typeof next === 'bigint' ? next : next.xid);
            if (typeof next !== 'bigint') expect(shown).toContain(next.xid);
          } else {
            const hidden = new Set(each.hidden);
            for (let xid = 1; xid <= pushed; xid++) if (!hidden.has(xid)) shown.add(xid);
            queue.show(snapshot(pushed + 1, ...hidden));
          }
          const transactionsOut = out.filter((item) => typeof item === 'number');
          expect(transactionsOut).toEqual(Array.from({ length: transactionsOut.length }, (_, n) => n + 1));
          expect(queue.bytes).toBe(pushed - transactionsOut.length);
        }
        queue.show(snapshot(pushed + 1));
        out = [...out, ...drain(queue)];
        // a report of progress may have been told before the one that came right behind it
        expect(out.filter((item) => typeof item === 'number')).toEqual(Array.from({ length: pushed }, (_, n) => n + 1));
        expect(out.at(-1)).toEqual(told.at(-1));
        expect(queue.waiting).toBe(0);
        for (const [at, item] of out.entries()) {
          if (typeof item !== 'bigint') continue;
          const before = out.slice(0, at).filter((other) => typeof other === 'number').length;
          expect(before).toBe(told.slice(0, Number(item / 1000n)).filter((other) => typeof other === 'number').length);
        }
      }),
    );
  });
});

describe('a stream of what is visible', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /** A stream under the gate; `show` answers the look that is under way. */
  async function open(maxBytes = 100) {
    const told: unknown[] = [];
    const failures: string[] = [];
    const calls: string[] = [];
    const looks: { resolve: (snapshot: Snapshot) => void; reject: (error: unknown) => void }[] = [];
    const inner: { listener: StreamListener | null } = { listener: null };
    const stream: Stream = {
      slotName: 'slot',
      pause: () => calls.push('pause'),
      resume: () => calls.push('resume'),
      close: () => {
        calls.push('close');
        return Promise.resolve();
      },
    };
    const source = visibleOnly(
      {
        open: (listener) => {
          inner.listener = listener;
          return Promise.resolve(stream);
        },
      },
      {
        visibility: { snapshot: () => new Promise((resolve, reject) => looks.push({ resolve, reject })) },
        maxBytes,
        failed: ({ code }) => failures.push(code),
      },
    );
    const reaction: { onTransaction: () => void } = { onTransaction: () => undefined };
    const gated = await source.open(
      {
        transaction: ({ xid }) => {
          told.push(xid);
          reaction.onTransaction();
        },
        progress: (lsn) => told.push(lsn),
        ended: ({ code }) => told.push(code),
      },
      new AbortController().signal,
    );
    const answer = async (shown: Snapshot): Promise<void> => {
      looks.shift()?.resolve(shown);
      await vi.advanceTimersByTimeAsync(0);
    };
    return { told, failures, calls, looks, gated, reaction, answer, listener: inner.listener! };
  }

  it('looks once for all that comes meanwhile, and again at once for what the look was too early for', async () => {
    const { told, looks, listener, answer } = await open();
    listener.transaction(transaction(1));
    listener.transaction(transaction(2));
    listener.progress(21n);
    expect(looks).toHaveLength(1);
    expect(told).toEqual([]);
    await answer(snapshot(2));
    expect(told).toEqual([1]);
    expect(looks).toHaveLength(1);
    await answer(snapshot(3));
    expect(told).toEqual([1, 2, 21n]);
    expect(looks).toHaveLength(0);
  });

  it('asks again after pauses that grow while nothing becomes visible, and tells when that lasts', async () => {
    const { told, looks, listener, failures, answer } = await open();
    listener.transaction(transaction(1));
    let asked = 0;
    for (let ms = 0; ms < 6_000; ms++) {
      if (looks.length > 0) {
        asked++;
        await answer(snapshot(2, 1));
      }
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(asked).toBeGreaterThan(50);
    expect(asked).toBeLessThan(1_500);
    expect(told).toEqual([]);
    expect(failures).toEqual(['commits_waiting']);
    await vi.advanceTimersByTimeAsync(60);
    await answer(snapshot(2));
    expect(told).toEqual([1]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(failures).toEqual(['commits_waiting']);
    expect(looks).toHaveLength(0);
  });

  it('repeats a look that fails', async () => {
    const { told, looks, listener, failures, answer } = await open();
    listener.transaction(transaction(1));
    looks.shift()?.reject(new RelayError('postgres_unreachable', 'gone'));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(failures).toEqual(['postgres_unreachable']);
    await answer(snapshot(2));
    expect(told).toEqual([1]);
  });

  it('ends the stream when more waits than may be held', async () => {
    const { told, looks, listener, calls, answer } = await open(10);
    listener.transaction(transaction(1, 6));
    listener.transaction(transaction(2, 6));
    expect(told).toEqual(['buffer_full']);
    expect(calls).toEqual(['close']);
    listener.transaction(transaction(3));
    listener.progress(31n);
    listener.ended(new RelayError('replication_failed', 'too late'));
    await answer(snapshot(4));
    expect(told).toEqual(['buffer_full']);
    expect(looks).toHaveLength(0);
  });

  it('tells the end at once, and nothing of what still waits', async () => {
    const { told, listener, answer } = await open();
    listener.transaction(transaction(1));
    listener.ended(new RelayError('replication_failed', 'over'));
    await answer(snapshot(2));
    expect(told).toEqual(['replication_failed']);
  });

  it('tells nothing while it is paused, also from within', async () => {
    const { told, gated, reaction, calls, listener, answer } = await open();
    reaction.onTransaction = () => gated.pause();
    listener.transaction(transaction(1));
    listener.transaction(transaction(2));
    await answer(snapshot(3));
    expect(told).toEqual([1]);
    listener.progress(21n);
    expect(told).toEqual([1]);
    // a taker that finds room again tells so from within as well
    reaction.onTransaction = () => gated.resume();
    gated.resume();
    expect(told).toEqual([1, 2, 21n]);
    expect(calls).toEqual(['pause', 'resume']);
  });

  it('tells nothing after it was closed', async () => {
    const { told, gated, calls, listener, answer } = await open();
    listener.transaction(transaction(1));
    await gated.close();
    await answer(snapshot(2));
    listener.progress(21n);
    expect(told).toEqual([]);
    expect(calls).toEqual(['close']);
  });
});
