import type { Writable } from 'node:stream';
import { RelayError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { Publisher, PublisherListener, PublisherSession } from '../../core/publisher.ts';
import { assertMaySend, notLeading } from '../fence.ts';
import { messageLine } from './line.ts';

/** Messages in one write. */
const BATCH = 500;

/** Writes messages as lines to a stream: for the demo, and to see what would be published. */
export class ConsolePublisher implements Publisher {
  readonly #stream: Writable;

  /** @param stream is not ended by the publisher */
  constructor(stream: Writable) {
    this.#stream = stream;
    // Errors arrive by the callback of the write that met them; the event as such must not end the process.
    stream.on('error', () => undefined);
  }

  /** @throws RelayError `broker_unreachable` when the stream has ended */
  open(listener: PublisherListener): Promise<PublisherSession> {
    if (!this.#stream.writable) return Promise.reject(streamFailed(null));
    return Promise.resolve(new ConsoleSession(this.#stream, listener));
  }

  check(): Promise<readonly Finding[]> {
    const { writable } = this.#stream;
    const message = writable ? 'messages are written as lines' : 'the stream has ended';
    return Promise.resolve([{ status: writable ? 'ok' : 'error', subject: 'console', message }]);
  }
}

/** One write at a time, so that a slow reader slows the relay down; acknowledged when the stream has taken it. */
class ConsoleSession implements PublisherSession {
  readonly #stream: Writable;
  readonly #listener: PublisherListener;
  readonly #closing = new AbortController();
  #queue: OutgoingMessage[] = [];
  #writing: Promise<void> | null = null;

  constructor(stream: Writable, listener: PublisherListener) {
    this.#stream = stream;
    this.#listener = listener;
  }

  enqueue(messages: readonly OutgoingMessage[]): void {
    if (this.#closing.signal.aborted) return;
    for (const message of messages) this.#queue.push(message);
    this.#writing ??= this.#writeAll();
  }

  /** A stream refuses nothing, so that no key ever waits. */
  release(): void {
    return;
  }

  discard(): readonly OutgoingMessage[] {
    return [];
  }

  publishOne(message: OutgoingMessage): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return Promise.reject(sessionClosed());
    if (!this.#listener.maySend()) return Promise.reject(notLeading());
    return new Promise((resolve, reject) => {
      const closed = (): void => reject(sessionClosed());
      signal.addEventListener('abort', closed, { once: true });
      this.#write([message])
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', closed));
    });
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort();
    this.#queue = [];
    if (this.#writing === null) return;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.#writing, deadline]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    // In the next turn, so that the listener hears nothing before `enqueue` has returned.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.slice(0, BATCH);
        this.#queue = this.#queue.slice(BATCH);
        assertMaySend(this.#listener);
        await this.#write(batch);
        if (!this.#closing.signal.aborted) this.#listener.acknowledged(batch);
      }
      this.#writing = null;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#closing.abort();
      this.#queue = [];
      this.#listener.failed(streamFailed(error));
    }
  }

  #write(messages: readonly OutgoingMessage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(messages.map(messageLine).join(''), (error) => {
        if (error === null || error === undefined) resolve();
        else reject(streamFailed(error));
      });
    });
  }
}

function streamFailed(cause: unknown): RelayError {
  if (cause instanceof RelayError) return cause;
  return new RelayError('broker_unreachable', 'the output stream cannot be written to', { cause });
}

function sessionClosed(): RelayError {
  return new RelayError('broker_unreachable', 'the session was closed');
}
