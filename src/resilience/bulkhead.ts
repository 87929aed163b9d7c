import { ResilienceError } from './errors.ts';
import { DEFAULT_NAME, type PolicyOptions } from './events.ts';
import { wholeNumber } from './option-range.ts';
import { neverAborted, type Policy } from './policy.ts';

export interface BulkheadOptions extends PolicyOptions {
  /** Calls at a time. @default 16 */
  readonly concurrency?: number;
  /** Calls that may wait for a slot; those beyond are refused at once. @default 32 */
  readonly queue?: number;
}

export interface Bulkhead extends Policy {
  readonly running: number;
  readonly waiting: number;
}

/**
 * Bounds how much of this process one callee can take: when it is slow, its calls fill their own slots and nobody else's.
 * Waiting calls get their slots in the order they came in; one that is cancelled leaves the queue.
 */
export function bulkhead(options: BulkheadOptions = {}): Bulkhead {
  const { name = DEFAULT_NAME, onEvent } = options;
  const concurrency = wholeNumber('concurrency', options.concurrency ?? 16, 1);
  const room = wholeNumber('queue', options.queue ?? 32, 0);
  const queue = new Set<() => void>();
  let running = 0;

  const slot = async (signal: AbortSignal): Promise<void> => {
    if (running < concurrency) {
      running++;
      return;
    }
    if (queue.size >= room) {
      onEvent?.({ type: 'rejected', name, by: 'bulkhead' });
      throw new ResilienceError('bulkhead_full', `${name}: not called, ${concurrency} calls run and ${room} wait`);
    }
    await inQueue(queue, signal);
  };
  const release = (): void => {
    const [next] = queue;
    // The slot is handed over, never free in between: a newcomer cannot take it.
    if (next === undefined) running--;
    else next();
  };

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    async execute(call, signal = neverAborted()) {
      signal.throwIfAborted();
      await slot(signal);
      try {
        signal.throwIfAborted();
        return await call(signal);
      } finally {
        release();
      }
    },
  };
}

/** Resolves when the entry it puts into `queue` is called; leaves the queue when `signal` is aborted. */
function inQueue(queue: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      queue.delete(enter);
      reject(signal.reason as Error);
    };
    const enter = (): void => {
      queue.delete(enter);
      signal.removeEventListener('abort', leave);
      resolve();
    };
    queue.add(enter);
    signal.addEventListener('abort', leave, { once: true });
  });
}
