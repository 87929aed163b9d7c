import type { Stream, StreamListener, StreamSource, StreamedTransaction, Visibility } from '../core/capture.ts';
import { backoffDelay } from '../core/backoff.ts';
import { RelayError } from '../core/errors.ts';
import type { Lsn } from '../core/lsn.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { asRelayError } from './failure.ts';
import { Timer } from './timer.ts';
import { VisibilityQueue } from './visibility-queue.ts';

/** Bounds of what waits, and who is told. */
export interface VisibleStreamOptions {
  readonly visibility: Visibility;
  /** What waiting transactions may take in memory, in bytes; beyond it the stream ends (`buffer_full`). */
  readonly maxBytes: number;
  /** A look at what is visible failed, and is repeated; or transactions have been waiting for long. */
  readonly failed: (error: RelayError) => void;
}

/** Commits become visible within a millisecond or so, unless a synchronous standby is waited for. */
const LOOK_AGAIN = { baseMs: 1, maxMs: 50 };
const FAILED = { baseMs: 100, maxMs: 2_000 };
/** Waiting for longer than this is told. */
const PATIENCE_MS = 5_000;

/**
 * A stream source whose transactions are told only when they are visible on the primary, in log order: a commit that
 * waits for its synchronous standby is in the log long before that. For everything behind it this is a slower stream
 * and nothing else.
 *
 * When more waits than may be held, the stream ends: the table shows only what is visible by itself.
 */
export function visibleOnly(source: StreamSource, options: VisibleStreamOptions): StreamSource {
  return {
    open: async (listener, signal) => {
      const gate = new VisibilityGate(listener, options);
      try {
        return gate.guard(await source.open(gate, signal));
      } catch (error) {
        gate.close();
        throw error;
      }
    },
  };
}

/**
 * What stands between one stream and its listener. One look at a time; a look that has begun before a transaction came
 * serves for it as well if it shows it, since what is visible stays so.
 */
class VisibilityGate implements StreamListener {
  readonly #listener: StreamListener;
  readonly #options: VisibleStreamOptions;
  readonly #queue = new VisibilityQueue();
  readonly #timer = new Timer();
  readonly #patience = new Timer();
  #stream: Stream | null = null;
  #looking = false;
  #fruitless = 0;
  #failures = 0;
  #paused = false;
  #releasing = false;
  #over = false;

  constructor(listener: StreamListener, options: VisibleStreamOptions) {
    this.#listener = listener;
    this.#options = options;
  }

  transaction(transaction: StreamedTransaction): void {
    if (this.#over) return;
    this.#queue.push(transaction);
    if (this.#queue.bytes > this.#options.maxBytes) this.#overflow();
    // behind others that wait, it waits for them in any case
    else if (this.#queue.waiting === 1) this.#look();
  }

  progress(lsn: Lsn): void {
    if (this.#over) return;
    this.#queue.progress(lsn);
    this.#release();
  }

  ended(error: RelayError): void {
    if (this.#over) return;
    this.close();
    this.#listener.ended(error);
  }

  /** The stream as its holder is to see it. */
  guard(stream: Stream): Stream {
    this.#stream = stream;
    return {
      slotName: stream.slotName,
      pause: () => {
        this.#paused = true;
        stream.pause();
      },
      resume: () => {
        if (!this.#paused) return;
        this.#paused = false;
        stream.resume();
        this.#release();
      },
      close: () => {
        this.close();
        return stream.close();
      },
    };
  }

  /** Lets go of what waits. Idempotent. */
  close(): void {
    this.#over = true;
    this.#timer.clear();
    this.#patience.clear();
    this.#queue.clear();
  }

  #look(): void {
    if (this.#looking || this.#over) return;
    this.#looking = true;
    this.#timer.clear();
    this.#options.visibility.snapshot().then(
      (snapshot) => {
        this.#looking = false;
        this.#failures = 0;
        this.#show(snapshot);
      },
      (error: unknown) => {
        this.#looking = false;
        if (this.#over) return;
        this.#options.failed(asRelayError(error, 'looking what is visible'));
        this.#timer.set(1 + backoffDelay(FAILED, this.#failures++), () => this.#look());
      },
    );
  }

  #show(snapshot: Snapshot): void {
    const fruitless = this.#queue.show(snapshot) === 0;
    this.#release();
    this.#fruitless = fruitless ? this.#fruitless + 1 : 0;
    if (!fruitless || this.#queue.waiting === 0) this.#patience.clear();
    if (this.#over || this.#queue.waiting === 0) return;
    this.#watchPatience();
    // what still waits may have come while the look was under way
    if (!fruitless) this.#look();
    else this.#timer.set(1 + backoffDelay(LOOK_AGAIN, this.#fruitless), () => this.#look());
  }

  #watchPatience(): void {
    if (this.#patience.running) return;
    this.#patience.set(PATIENCE_MS, () => {
      const message = `${this.#queue.waiting} committed transactions are not visible for ${PATIENCE_MS / 1000} s`;
      this.#options.failed(new RelayError('commits_waiting', message));
    });
  }

  /** The listener may pause, resume and close the stream while it is being told something. */
  #release(): void {
    if (this.#releasing) return;
    this.#releasing = true;
    try {
      while (!this.#paused && !this.#over) {
        const next = this.#queue.next();
        if (next === null) return;
        if (typeof next === 'bigint') this.#listener.progress(next);
        else this.#listener.transaction(next);
      }
    } finally {
      this.#releasing = false;
    }
  }

  #overflow(): void {
    const message = `${this.#queue.waiting} transactions of ${this.#queue.bytes} bytes wait until they are visible`;
    this.ended(new RelayError('buffer_full', message));
    void this.#stream?.close();
  }
}
