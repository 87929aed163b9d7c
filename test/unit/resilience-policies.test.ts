import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  bulkhead,
  circuitBreaker,
  compose,
  type Policy,
  ResilienceError,
  type ResilienceEvent,
  resilient,
  retry,
  timeout,
} from '../../src/resilience/index.ts';

const boom = new Error('boom');
const fails = (): Promise<never> => Promise.reject(boom);
const never = (): Promise<never> => new Promise(() => undefined);
const coded = (code: string): unknown => expect.objectContaining({ name: 'ResilienceError', code });

/** A promise and its ends. */
function held(): { readonly call: () => Promise<string>; readonly end: (value: string) => void } {
  let end: (value: string) => void = () => undefined;
  const promise = new Promise<string>((resolve) => (end = resolve));
  return { call: () => promise, end };
}

/** The outcome of a call while fake time runs on as far as it has to. */
async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.all([Promise.allSettled([promise]), vi.runAllTimersAsync()]);
  return result[0];
}

function recorder(): { readonly events: ResilienceEvent[]; readonly onEvent: (event: ResilienceEvent) => void } {
  const events: ResilienceEvent[] = [];
  return { events, onEvent: (event) => events.push(event) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('retry', () => {
  it('repeats until it passes, after pauses drawn from [0, base * 2^n), and says so', async () => {
    const { events, onEvent } = recorder();
    const started = Date.now();
    const call = vi
      .fn(() => Promise.resolve('done'))
      .mockRejectedValueOnce(boom)
      .mockRejectedValueOnce(boom);
    const policy = retry({ name: 'stock', baseMs: 100, random: () => 0.5, onEvent });
    expect(await settled(policy.execute(call))).toEqual({ status: 'fulfilled', value: 'done' });
    expect(events).toEqual([
      { type: 'retry', name: 'stock', attempt: 2, delayMs: 50, error: boom },
      { type: 'retry', name: 'stock', attempt: 3, delayMs: 100, error: boom },
    ]);
    expect(Date.now() - started).toBe(150);
  });

  it('gives up after its attempts with the last error as it is', async () => {
    const { events, onEvent } = recorder();
    const call = vi.fn(fails);
    expect(await settled(retry({ attempts: 3, onEvent }).execute(call))).toEqual({ status: 'rejected', reason: boom });
    expect(call).toHaveBeenCalledTimes(3);
    expect(events.at(-1)).toEqual({ type: 'exhausted', name: 'call', attempts: 3, error: boom });
  });

  it('keeps to the longest pause', async () => {
    const { events, onEvent } = recorder();
    await settled(retry({ attempts: 9, baseMs: 100, maxMs: 800, random: () => 1 - 1e-9, onEvent }).execute(fails));
    const delays = events.flatMap((event) => (event.type === 'retry' ? [event.delayMs] : []));
    expect(delays).toEqual([99, 199, 399, 799, 799, 799, 799, 799]);
  });

  it('does not repeat what is not transient, nor what another policy has refused', async () => {
    for (const error of [boom, new ResilienceError('circuit_open', ''), new ResilienceError('bulkhead_full', '')]) {
      const call = vi.fn(() => Promise.reject(error));
      const policy = retry({ isTransient: (at) => at !== boom });
      expect(await settled(policy.execute(call))).toEqual({ status: 'rejected', reason: error });
      expect(call).toHaveBeenCalledTimes(1);
    }
  });

  it('ends its pause when it is cancelled, and makes no further attempt', async () => {
    const caller = new AbortController();
    const call = vi.fn(fails);
    const outcome = Promise.allSettled([retry({ baseMs: 60_000, random: () => 0.99 }).execute(call, caller.signal)]);
    await vi.advanceTimersByTimeAsync(10);
    caller.abort(new Error('shutting down'));
    expect(await outcome).toEqual([{ status: 'rejected', reason: new Error('shutting down') }]);
    expect(call).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refuses numbers of attempts and pauses that are none', () => {
    expect(() => retry({ attempts: 0 })).toThrow(RangeError);
    expect(() => retry({ attempts: 1.5 })).toThrow('attempts must be a whole number of at least 1, not 1.5');
    // Of a pause that is no number a timer makes none.
    for (const wrong of [NaN, -1]) {
      for (const options of [{ baseMs: wrong }, { maxMs: wrong }]) expect(() => retry(options)).toThrow(RangeError);
      for (const options of [{ openMs: wrong }, { maxOpenMs: wrong }])
        expect(() => circuitBreaker(options)).toThrow(RangeError);
    }
  });
});

describe('timeout', () => {
  it('ends a call that does not look at its signal', async () => {
    const { events, onEvent } = recorder();
    const outcome = await settled(timeout({ ms: 500, name: 'stock', onEvent }).execute(never));
    expect(outcome).toEqual({ status: 'rejected', reason: coded('attempt_timeout') });
    expect(events).toEqual([{ type: 'timeout', name: 'stock', limit: 'attempt', ms: 500 }]);
  });

  it('aborts the signal of one that does, and tells the timeout, not its AbortError', async () => {
    const policy = timeout({ ms: 500, limit: 'deadline' });
    const outcome = await settled(
      policy.execute((signal) => {
        return new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
        });
      }),
    );
    expect(outcome).toEqual({ status: 'rejected', reason: coded('deadline_exceeded') });
  });

  it('passes on what comes in time, leaves no timer, and does not abort what was returned', async () => {
    let own: AbortSignal | undefined;
    const policy = timeout({ ms: 500 });
    expect(await policy.execute((signal) => ((own = signal), Promise.resolve(1)))).toBe(1);
    await expect(policy.execute(fails)).rejects.toBe(boom);
    expect([own?.aborted, vi.getTimerCount()]).toEqual([false, 0]);
  });

  it("is not what the caller's cancellation is told as", async () => {
    const { events, onEvent } = recorder();
    const caller = new AbortController();
    const outcome = Promise.allSettled([timeout({ ms: 500, onEvent }).execute(never, caller.signal)]);
    caller.abort(boom);
    expect(await outcome).toEqual([{ status: 'rejected', reason: boom }]);
    expect(events).toEqual([]);
  });
});

describe('circuit breaker', () => {
  const options = { minimumCalls: 4, window: 10, openMs: 1000, maxOpenMs: 3000 };
  const repeat = async (policy: Policy, times: number, call: () => Promise<unknown>): Promise<void> => {
    for (let n = 0; n < times; n++) await Promise.allSettled([policy.execute(call)]);
  };

  it('opens when most calls fail, lets one through on trial, closes when that passes', async () => {
    const { events, onEvent } = recorder();
    const breaker = circuitBreaker({ ...options, onEvent });
    await repeat(breaker, 3, fails);
    expect(breaker.state).toBe('closed');
    await repeat(breaker, 1, fails);
    expect(breaker.state).toBe('open');
    const call = vi.fn(() => Promise.resolve('done'));
    await expect(breaker.execute(call)).rejects.toEqual(coded('circuit_open'));
    expect(call).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    const trial = held();
    const onTrial = breaker.execute(trial.call);
    const behind = breaker.execute(call);
    expect([breaker.state, call.mock.calls.length]).toEqual(['half-open', 0]);
    trial.end('passed');
    expect([await onTrial, await behind]).toEqual(['passed', 'done']);
    expect(events.map((event) => (event.type === 'circuit' ? event.state : event.type))).toEqual([
      ...['open', 'rejected', 'half-open', 'closed'],
    ]);
  });

  it('stays open twice as long after each failed trial, up to a limit', async () => {
    const breaker = circuitBreaker(options);
    await repeat(breaker, 4, fails);
    for (const openMs of [1000, 2000, 3000, 3000]) {
      await vi.advanceTimersByTimeAsync(openMs - 1);
      await expect(breaker.execute(fails)).rejects.toEqual(coded('circuit_open'));
      await vi.advanceTimersByTimeAsync(1);
      await expect(breaker.execute(fails)).rejects.toBe(boom);
      expect(breaker.state).toBe('open');
    }
  });

  it('does not count errors of the request, nor cancelled calls', async () => {
    const breaker = circuitBreaker({ ...options, isTransient: (error) => error !== boom });
    await repeat(breaker, 10, fails);
    const lost = new Error('lost');
    for (let n = 0; n < 10; n++) {
      const caller = new AbortController();
      const cancelled = breaker.execute(() => (caller.abort(), Promise.reject(lost)), caller.signal);
      await expect(cancelled).rejects.toBe(lost);
    }
    expect(breaker.state).toBe('closed');
    await repeat(breaker, 20, () => Promise.reject(new Error('in trouble')));
    expect(breaker.state).toBe('open');
  });

  it('opens again by the next failure when a trial was cancelled', async () => {
    const breaker = circuitBreaker(options);
    await repeat(breaker, 6, fails);
    await vi.advanceTimersByTimeAsync(1000);
    const caller = new AbortController();
    await expect(breaker.execute(() => (caller.abort(), fails()), caller.signal)).rejects.toBe(boom);
    await repeat(breaker, 1, fails);
    expect(breaker.state).toBe('open');
  });

  it('hands the signal to a call that has waited for a trial', async () => {
    const breaker = circuitBreaker(options);
    await repeat(breaker, 4, fails);
    await vi.advanceTimersByTimeAsync(1000);
    const trial = held();
    const onTrial = breaker.execute(trial.call);
    const caller = new AbortController();
    const seen = breaker.execute((signal) => Promise.resolve(signal), caller.signal);
    trial.end('passed');
    await onTrial;
    expect(await seen).toBe(caller.signal);
  });
});

describe('bulkhead', () => {
  it('runs so many at a time, lets so many wait in their order, refuses the rest', async () => {
    const { events, onEvent } = recorder();
    const policy = bulkhead({ name: 'stock', concurrency: 2, queue: 2, onEvent });
    const calls = Array.from({ length: 4 }, held);
    const started: number[] = [];
    const running = calls.map((each, n) => policy.execute(() => (started.push(n), each.call())));
    await vi.advanceTimersByTimeAsync(0);
    expect([policy.running, policy.waiting, started]).toEqual([2, 2, [0, 1]]);
    await expect(policy.execute(fails)).rejects.toEqual(coded('bulkhead_full'));
    expect(events).toEqual([{ type: 'rejected', name: 'stock', by: 'bulkhead' }]);
    calls[1]?.end('b');
    await running[1];
    await vi.advanceTimersByTimeAsync(0);
    expect(started).toEqual([0, 1, 2]);
    for (const [n, each] of calls.entries()) each.end(String(n));
    expect(await Promise.all(running)).toEqual(['0', 'b', '2', '3']);
    expect([policy.running, policy.waiting]).toEqual([0, 0]);
  });

  it('gives the slot of one that ends to who waits, not to who comes right then', async () => {
    const policy = bulkhead({ concurrency: 1, queue: 1 });
    const first = held();
    const order: string[] = [];
    const ending = policy.execute(first.call).then(() => policy.execute(() => Promise.resolve(order.push('newcomer'))));
    const waiting = policy.execute(() => Promise.resolve(order.push('waiting')));
    first.end('');
    await Promise.all([ending, waiting]);
    expect(order).toEqual(['waiting', 'newcomer']);
  });

  it('lets cancelled calls leave the queue at once, and nobody stays behind them', async () => {
    const policy = bulkhead({ concurrency: 1, queue: 2 });
    const first = held();
    const running = policy.execute(first.call);
    const caller = new AbortController();
    const cancelled = policy.execute(fails, caller.signal);
    const last = policy.execute(() => Promise.resolve('last'));
    caller.abort(boom);
    await expect(cancelled).rejects.toBe(boom);
    expect(policy.waiting).toBe(1);
    first.end('');
    expect([await running, await last]).toEqual(['', 'last']);
    expect(policy.running).toBe(0);
  });

  it('frees the slot of a call that fails', async () => {
    const policy = bulkhead({ concurrency: 1, queue: 0 });
    for (let n = 0; n < 3; n++) await expect(policy.execute(fails)).rejects.toBe(boom);
  });
});

describe('all of them', () => {
  it('nest as they are listed, outermost first', async () => {
    const order: string[] = [];
    const named = (name: string): Policy => ({
      execute: (call, signal = new AbortController().signal) => (order.push(name), call(signal)),
    });
    await compose(named('a'), named('b'), named('c')).execute(() => Promise.resolve());
    expect(order).toEqual(['a', 'b', 'c']);
    expect(await compose().execute(() => Promise.resolve(1))).toBe(1);
  });

  it('give each attempt its timeout, count each at the breaker, and stop calling when that opens', async () => {
    const { events, onEvent } = recorder();
    const call = vi.fn(never);
    const policy = resilient({
      name: 'psp',
      timeoutMs: 100,
      retry: { attempts: 9, random: () => 0 },
      circuitBreaker: { minimumCalls: 3, window: 3 },
      onEvent,
    });
    expect(await settled(policy.execute(call))).toEqual({ status: 'rejected', reason: coded('circuit_open') });
    expect(call).toHaveBeenCalledTimes(3);
    expect(policy.circuitBreaker?.state).toBe('open');
    const happened = events.map((event) => (event.type === 'circuit' ? event.state : event.type));
    expect(happened).toEqual(['timeout', 'retry', 'timeout', 'retry', 'timeout', 'open', 'retry', 'rejected']);
  });

  it('hold no slot while they pause', async () => {
    const policy = resilient({ name: 'psp', bulkhead: { concurrency: 1, queue: 0 }, retry: { random: () => 0.9 } });
    const first = policy.execute(
      vi
        .fn(fails)
        .mockRejectedValueOnce(boom)
        .mockResolvedValueOnce('again' as never),
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(policy.bulkhead?.running).toBe(0);
    expect(await policy.execute(() => Promise.resolve('other'))).toBe('other');
    expect(await settled(first)).toEqual({ status: 'fulfilled', value: 'again' });
  });

  it('take no longer than the deadline, whatever they wait for', async () => {
    const started = Date.now();
    const policy = resilient({ name: 'psp', deadlineMs: 1000, timeoutMs: 400, retry: { attempts: 100 } });
    expect(await settled(policy.execute(never))).toEqual({ status: 'rejected', reason: coded('deadline_exceeded') });
    expect(Date.now() - started).toBe(1000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('do without those that are switched off', async () => {
    const policy = resilient({ name: 'psp', retry: false, bulkhead: false, circuitBreaker: false });
    const call = vi.fn(fails);
    for (let n = 0; n < 50; n++) await expect(policy.execute(call)).rejects.toBe(boom);
    expect([call.mock.calls.length, policy.bulkhead, policy.circuitBreaker]).toEqual([50, null, null]);
  });
});
