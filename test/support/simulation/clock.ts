interface Timer {
  readonly at: number;
  readonly order: number;
  /** Null once cleared. */
  action: (() => void) | null;
}

/** Nothing is left to happen, or too much has happened, and what was waited for has not come. */
export class Stuck extends Error {
  override readonly name = 'Stuck';
}

/** More timers than any history needs that gets somewhere. */
const MOST_TIMERS = 400_000;

/**
 * Virtual time: timers fire in order, one at a time, each as soon as nothing else can run. While it drives, the globals
 * that tell time and draw lots are its own, so that the same seed gives the same history to the last step.
 *
 * What it drives must wait for nothing but timers and promises: it never returns to the event loop.
 */
export class VirtualClock {
  readonly #timers: Timer[] = [];
  readonly #random: () => number;
  #now = 0;
  #set = 0;

  /** @param random what `Math.random()` gives: back-off draws from it */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** @throws Stuck */
  async drive<T>(work: () => Promise<T>): Promise<T> {
    const restore = this.#install();
    try {
      const outcome = { done: false };
      const result = work().finally(() => (outcome.done = true));
      result.catch(() => undefined);
      for (let fired = 0; ; fired++) {
        await nothingElseRuns();
        if (outcome.done) return await result;
        if (fired > MOST_TIMERS) throw new Stuck('it goes on and on');
        this.#next();
      }
    } finally {
      restore();
    }
  }

  #next(): void {
    for (let timer = this.#pop(); ; timer = this.#pop()) {
      if (timer === null) throw new Stuck('nothing is left to happen');
      if (timer.action === null) continue;
      this.#now = timer.at;
      timer.action();
      return;
    }
  }

  #install(): () => void {
    const { setTimeout, clearTimeout } = globalThis;
    const { now } = Date;
    const { random } = Math;
    const ownNow = Object.getOwnPropertyDescriptor(performance, 'now');
    globalThis.setTimeout = ((action: () => void, delay = 0) =>
      this.#push(action, delay)) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((timer: Timer | undefined) => {
      if (timer !== undefined) timer.action = null;
    }) as typeof clearTimeout;
    Date.now = () => this.#now;
    Math.random = this.#random;
    Object.defineProperty(performance, 'now', { value: () => this.#now, configurable: true });
    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout });
      Date.now = now;
      Math.random = random;
      if (ownNow === undefined) Reflect.deleteProperty(performance, 'now');
      else Object.defineProperty(performance, 'now', ownNow);
    };
  }

  #push(action: () => void, delay: number): Timer {
    const timer = { at: this.#now + Math.max(0, delay), order: this.#set++, action };
    let at = this.#timers.length;
    while (at > 0) {
      const parent = this.#timers[(at - 1) >> 1]!;
      if (earlier(parent, timer)) break;
      this.#timers[at] = parent;
      at = (at - 1) >> 1;
    }
    this.#timers[at] = timer;
    return timer;
  }

  #pop(): Timer | null {
    const [first] = this.#timers;
    const last = this.#timers.pop();
    if (first === undefined || last === undefined) return null;
    if (this.#timers.length > 0) this.#sink(last);
    return first;
  }

  #sink(timer: Timer): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [this.#timers[child], this.#timers[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && earlier(right, left)) child++;
      const least = this.#timers[child]!;
      if (earlier(timer, least)) break;
      this.#timers[at] = least;
      at = child;
    }
    this.#timers[at] = timer;
  }
}

function earlier(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Ticks run when no promise is left to continue. */
function nothingElseRuns(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
