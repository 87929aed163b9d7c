import type { Stream, StreamSource, StreamedTransaction } from '../core/capture.ts';
import { RelayError } from '../core/errors.ts';
import type { Lsn } from '../core/lsn.ts';
import type { Router } from '../core/routing.ts';
import type { Destination } from './destination.ts';
import type { StreamUse } from './destination-parts.ts';
import { asRelayError } from './failure.ts';
import { ReopenPolicy } from './reopen-policy.ts';
import { routeTransaction } from './routed.ts';
import type { RelayTelemetry } from './telemetry.ts';
import { Timer } from './timer.ts';

/** Times of the stream, in milliseconds. */
export interface StreamHubOptions {
  /** How long to wait before replication is tried again when it is not to be had. */
  readonly retryMs: number;
  /** How long the stream may stand still for a destination without room before the destination has to let go of it. */
  readonly stallMs: number;
}

/** An attempt at a stream, and then that stream as long as it is heard. */
interface Opening {
  readonly abort: AbortController;
  /** Resolves when the attempt has ended: the stream is open, or nothing is left of it. Never rejects. */
  readonly ended: Promise<void>;
}

/**
 * The one stream for all destinations: open while any of them needs it, closed else, so that no log is retained for
 * nobody. Gives each destination its part of every transaction.
 *
 * Back-pressure: a destination that has no room left stops the stream if it is the only one that takes it. If others
 * take it too, they must not wait for it: it lets go, and reads the table.
 */
export class StreamHub implements StreamUse {
  readonly #source: StreamSource;
  readonly #router: Router;
  readonly #telemetry: RelayTelemetry;
  readonly #options: StreamHubOptions;
  readonly #reopen: ReopenPolicy;
  readonly #destinations = new Map<string, Destination>();
  readonly #retry = new Timer();
  readonly #stall = new Timer();
  #stream: Stream | null = null;
  #opening: Opening | null = null;
  /** Of the last stream or attempt: slots never overlap. Never rejects. */
  #closing: Promise<void> = Promise.resolve();
  #position: Lsn = 0n;
  #stopped = false;
  #watchers: { readonly lsn: Lsn; readonly resolve: (passed: boolean) => void }[] = [];

  constructor(source: StreamSource, router: Router, telemetry: RelayTelemetry, options: StreamHubOptions) {
    this.#source = source;
    this.#router = router;
    this.#telemetry = telemetry;
    this.#options = options;
    this.#reopen = new ReopenPolicy(options.retryMs);
  }

  /** Makes a destination known. All must be known before the first needs the stream. */
  add(destination: Destination): void {
    this.#destinations.set(destination.name, destination);
  }

  get open(): boolean {
    return this.#stream !== null;
  }

  /** The slot of the open stream. */
  get slotName(): string | null {
    return this.#stream?.slotName ?? null;
  }

  needsChanged(): void {
    const needed = [...this.#destinations.values()].some((destination) => destination.needsStream);
    if (needed && !this.#stopped && this.#stream === null && this.#opening === null && !this.#retry.running)
      this.#open();
    if (!needed) this.#close();
    this.#balance();
  }

  roomChanged(name: string): void {
    const destination = this.#destinations.get(name);
    if (destination?.state.name !== 'streaming') return;
    if (destination.outlet.room.full && this.#takers().some((other) => other !== destination)) this.#letGo(destination);
    else this.#balance();
  }

  /** Resolves with true once the stream has told all that commits below `lsn`, with false when it ends before. */
  whenPassed(lsn: Lsn): Promise<boolean> {
    if (this.#stream === null) return Promise.resolve(false);
    if (this.#position >= lsn) return Promise.resolve(true);
    return new Promise((resolve) => this.#watchers.push({ lsn, resolve }));
  }

  /** Closes the stream for good, and resolves when nothing of it is left: an attempt at one included. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry.clear();
    this.#close();
    await this.#closing;
  }

  #takers(): readonly Destination[] {
    return [...this.#destinations.values()].filter((destination) => destination.takesStream);
  }

  #open(): void {
    const abort = new AbortController();
    const { signal } = abort;
    const listener = {
      transaction: (transaction: StreamedTransaction) => {
        if (!signal.aborted) this.#transaction(transaction);
      },
      progress: (lsn: Lsn) => {
        if (!signal.aborted) this.#progress(lsn);
      },
      ended: (error: RelayError) => {
        if (!signal.aborted) this.#ended(error);
      },
    };
    const ended = this.#closing
      .then(() => this.#source.open(listener, signal))
      .then(
        (stream) => (signal.aborted ? stream.close() : this.#opened(stream)),
        (error: unknown) => {
          if (!signal.aborted) this.#unavailable(asRelayError(error, 'opening the replication stream'));
        },
      );
    this.#opening = { abort, ended };
  }

  #opened(stream: Stream): void {
    this.#stream = stream;
    this.#position = 0n;
    this.#reopen.opened();
    this.#telemetry.streamOpened(stream.slotName);
    for (const destination of this.#destinations.values()) destination.dispatch({ type: 'stream-opened' });
    this.needsChanged();
  }

  #unavailable(error: RelayError): void {
    this.#forgetStream();
    const delay = this.#reopen.afterRefusal(error);
    this.#telemetry.streamUnavailable(error, delay);
    this.#retry.set(delay, () => this.needsChanged());
  }

  #ended(error: RelayError): void {
    this.#release();
    const delay = this.#reopen.afterEnd(error);
    this.#telemetry.streamEnded(error, delay);
    this.#retry.set(delay, () => this.needsChanged());
    for (const destination of this.#destinations.values()) destination.dispatch({ type: 'stream-ended', error });
  }

  #close(): void {
    if (this.#release()) this.#telemetry.streamClosed();
  }

  /** Lets go of the stream, or of the attempt at one. Returns whether there was a stream. */
  #release(): boolean {
    const stream = this.#stream;
    this.#forgetStream();
    if (stream === null) return false;
    this.#closing = stream.close();
    return true;
  }

  /** What it may still tell is not heard any more. */
  #forgetStream(): void {
    if (this.#opening !== null) {
      this.#opening.abort.abort();
      this.#closing = this.#opening.ended;
    }
    this.#opening = null;
    this.#stream = null;
    this.#stall.clear();
    for (const { resolve } of this.#watchers.splice(0)) resolve(false);
  }

  #transaction(transaction: StreamedTransaction): void {
    this.#telemetry.streamed(1, transaction.rows.length, transaction.bytes);
    for (const [name, part] of routeTransaction(this.#router, transaction)) {
      this.#destinations.get(name)?.transaction(part);
    }
  }

  #progress(lsn: Lsn): void {
    this.#position = lsn;
    this.#reopen.progressed();
    for (const destination of this.#destinations.values()) destination.streamPassed(lsn);
    if (this.#watchers.length === 0) return;
    const passed = this.#watchers.filter((watcher) => watcher.lsn <= lsn);
    this.#watchers = this.#watchers.filter((watcher) => watcher.lsn > lsn);
    for (const { resolve } of passed) resolve(true);
  }

  /** Stops the stream while a taker has no room, and lets it run else. */
  #balance(): void {
    if (this.#stream === null) return;
    if (!this.#isFull()) {
      this.#stall.clear();
      this.#stream.resume();
      return;
    }
    this.#stream.pause();
    if (this.#stall.running) return;
    this.#stall.set(this.#options.stallMs, () => {
      const takers = this.#takers();
      for (const destination of takers) {
        const { room, pace } = destination.outlet;
        if (room.full || (takers.length === 1 && pace.full)) this.#letGo(destination);
      }
    });
  }

  /**
   * Whether the stream is to stand still: for a destination that streams and has no room; for one that takes it alone
   * already by its pace. Asked for with every transaction, so without making lists.
   */
  #isFull(): boolean {
    let takers = 0;
    let behind = false;
    for (const destination of this.#destinations.values()) {
      if (!destination.takesStream) continue;
      takers++;
      if (destination.state.name !== 'streaming') continue;
      if (destination.outlet.room.full) return true;
      behind ||= destination.outlet.pace.full;
    }
    return behind && takers === 1;
  }

  #letGo(destination: Destination): void {
    const message = `destination ${destination.name} has no room left for what the stream brings`;
    destination.dispatch({ type: 'buffer-full', error: new RelayError('buffer_full', message) });
  }
}
