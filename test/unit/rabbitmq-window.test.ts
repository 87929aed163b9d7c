import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/publish/rabbitmq/lane.ts';
import { Window } from '../../src/publish/rabbitmq/window.ts';
import { testMessage } from './rabbitmq-messages.ts';

const STRICT = { messages: 100, bytes: 1_000_000, perKey: 1 };

/** What the world may do to a window; numbers choose among what is in flight or waiting. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      key: fc.integer({ min: 0, max: 4 }),
      bytes: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
  ...(['stored', 'retry', 'resume', 'refuse', 'release', 'restore'] as const).map((name) => ({
    weight: name === 'stored' ? 5 : 2,
    arbitrary: fc.record({ do: fc.constant(name), which: fc.nat(99) }),
  })),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Plays steps on a window and keeps its own, simple account of what has to be true. */
class Model {
  readonly #window: Window;
  readonly #options: { messages: number; bytes: number; perKey: number };
  readonly inFlight: Entry[] = [];
  readonly retrying: Entry[] = [];
  readonly refusedKeys: (string | null)[] = [];
  readonly stored: number[] = [];
  readonly refused: number[] = [];
  enqueued = 0;

  constructor(options: { messages: number; bytes: number; perKey: number }) {
    this.#options = options;
    this.#window = new Window(options);
  }

  enqueue(key: string | null, bytes: number): void {
    this.#window.enqueue(testMessage(this.enqueued++, { key, bytes }));
  }

  take(): Entry | null {
    const entry = this.#window.take();
    if (entry === null) return null;
    this.inFlight.push(entry);
    expect(this.inFlight.length).toBeLessThanOrEqual(this.#options.messages);
    const bytes = this.inFlight.reduce((sum, { message }) => sum + message.bytes, 0);
    if (this.inFlight.length > 1) expect(bytes).toBeLessThanOrEqual(this.#options.bytes);
    expect(this.#window.inFlight).toBe(this.inFlight.length);
    const { key } = entry.message;
    if (key !== null) {
      expect(this.inFlight.filter(({ message }) => message.key === key).length).toBeLessThanOrEqual(
        this.#options.perKey,
      );
      expect(this.refusedKeys).not.toContain(key);
      expect(this.retrying.map(({ message }) => message.key)).not.toContain(key);
    }
    return entry;
  }

  store(which: number): void {
    const [entry] = this.inFlight.splice(which % this.inFlight.length, 1);
    if (entry === undefined) return;
    this.#window.stored(entry);
    this.stored.push(Number(entry.message.row.position));
  }

  retry(which: number): void {
    const [entry] = this.inFlight.splice(which % this.inFlight.length, 1);
    if (entry === undefined) return;
    this.#window.retry(entry);
    this.retrying.push(entry);
  }

  resume(which: number): void {
    const [entry] = this.retrying.splice(which % this.retrying.length, 1);
    if (entry !== undefined) this.#window.resume(entry);
  }

  refuse(which: number): void {
    const [entry] = this.inFlight.splice(which % this.inFlight.length, 1);
    if (entry === undefined) return;
    this.#window.refuse(entry);
    this.refused.push(Number(entry.message.row.position));
    this.refusedKeys.push(entry.message.key);
  }

  release(which: number): void {
    const [key] = this.refusedKeys.splice(which % this.refusedKeys.length, 1);
    if (key === undefined) return;
    this.#window.release(key);
    for (let at = this.refusedKeys.indexOf(key); at !== -1; at = this.refusedKeys.indexOf(key))
      this.refusedKeys.splice(at, 1);
  }

  restore(): void {
    this.#window.restore(this.inFlight.splice(0));
  }

  /** Lets all trouble end, and stores what is left. */
  finish(): void {
    while (this.retrying.length > 0) this.resume(0);
    while (this.refusedKeys.length > 0) this.release(0);
    for (;;) {
      while (this.take() !== null);
      if (this.inFlight.length === 0) return;
      this.store(0);
    }
  }
}

function play(steps: readonly Step[], options: typeof STRICT): Model {
  const model = new Model(options);
  for (const each of steps) {
    switch (each.do) {
      case 'enqueue':
        model.enqueue(each.key === 0 ? null : `key-${each.key}`, each.bytes);
        break;
      case 'take':
        model.take();
        break;
      case 'stored':
        model.store(each.which);
        break;
      default:
        model[each.do](each.which);
    }
  }
  model.finish();
  return model;
}

describe('the window', () => {
  it.each([1, Infinity])('gives out every message once stored or refused, whatever happens (%s per key)', (perKey) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const model = play(steps, { messages: 4, bytes: 100, perKey });
        const ended = [...model.stored, ...model.refused].sort((a, b) => a - b);
        expect(ended).toEqual(Array.from({ length: model.enqueued }, (_, at) => at));
      }),
    );
  });

  it('stores the messages of a key in the order of enqueueing when one per key is in flight', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const keys = steps.flatMap((each) => (each.do === 'enqueue' ? [each.key] : []));
        const { stored } = play(steps, { messages: 4, bytes: 100, perKey: 1 });
        for (const key of [1, 2, 3, 4]) {
          const ofKey = stored.filter((position) => keys[position] === key);
          expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
        }
      }),
    );
  });

  it('lets every key send in turn', () => {
    const window = new Window({ ...STRICT, messages: 1 });
    for (let n = 0; n < 30; n++) window.enqueue(testMessage(n, { key: n < 20 ? 'busy' : `quiet-${n}` }));
    const order: (string | null)[] = [];
    for (let entry = window.take(); entry !== null; entry = window.take()) {
      order.push(entry.message.key);
      window.stored(entry);
    }
    expect(order.slice(0, 11).filter((key) => key === 'busy')).toHaveLength(1);
    expect(order).toHaveLength(30);
  });

  it('sends a message that is larger than the window, alone', () => {
    const window = new Window({ ...STRICT, bytes: 50 });
    window.enqueue(testMessage(1, { key: 'a', bytes: 10 }));
    window.enqueue(testMessage(2, { key: 'b', bytes: 5000 }));
    const small = window.take();
    expect(window.take()).toBeNull();
    window.stored(small!);
    expect(window.take()?.message.key).toBe('b');
  });

  it('forgets what waits behind a refused message when it is discarded, and sends what comes later', () => {
    const window = new Window(STRICT);
    for (const n of [1, 2, 3]) window.enqueue(testMessage(n, { key: 'a' }));
    window.refuse(window.take()!);
    expect(window.take()).toBeNull();
    expect(window.discard('a').map(({ message }) => message.row.position)).toEqual([2n, 3n]);
    window.enqueue(testMessage(4, { key: 'a' }));
    expect(window.take()?.message.row.position).toBe(4n);
  });

  it('sends what was in flight on a lost channel again before all else, in order', () => {
    const window = new Window({ ...STRICT, messages: 3 });
    for (let n = 0; n < 6; n++) window.enqueue(testMessage(n, { key: `key-${n}` }));
    const lost = [window.take()!, window.take()!, window.take()!];
    window.restore(lost);
    const again = [window.take(), window.take(), window.take()];
    expect(again).toEqual(lost);
  });

  it('holds in flight no more than asked for, be the bound ever so wide', () => {
    const window = new Window(STRICT);
    for (const n of [1, 2]) window.enqueue(testMessage(n, { key: `key-${n}` }));
    expect(window.take(1)).not.toBeNull();
    expect(window.take(1)).toBeNull();
    expect(window.take()).not.toBeNull();
  });
});
