import type { Duplex } from 'node:stream';
import type pg from 'pg';
import type { OutboxRow } from '../../core/row.ts';
import { CopyDecoder } from './copy-decoder.ts';

/**
 * One `COPY .. TO STDOUT` as `pg` runs it (a "submittable", as pg-cursor and pg-copy-streams are), read by pulling: the
 * socket is paused unless somebody waits in {@link next}, so that no more than one read of it is ever held.
 */
export class CopyOut implements pg.Submittable {
  readonly #text: string;
  readonly #decoder: CopyDecoder;
  #stream: Duplex | undefined;
  #rows: OutboxRow[] = [];
  #state: 'copying' | 'ended' | 'failed' = 'copying';
  #failure: unknown;
  #wake: (() => void) | undefined;

  /** @param staysBytes of each column that follows position, id and time, whether its value is wanted in bytes */
  constructor(text: string, staysBytes: readonly boolean[]) {
    this.#text = text;
    this.#decoder = new CopyDecoder(staysBytes);
  }

  /** Whether everything was received and the connection is ready for the next statement. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /**
   * What has arrived since the last call, at least one row; null at the end.
   *
   * @throws what `pg` reports of the statement or the connection
   */
  async next(): Promise<OutboxRow[] | null> {
    while (this.#rows.length === 0 && this.#state === 'copying') await this.#arrival();
    if (this.#rows.length > 0) {
      const rows = this.#rows;
      this.#rows = [];
      return rows;
    }
    if (this.#state === 'failed') throw this.#failure;
    return null;
  }

  submit(connection: pg.Connection): void {
    this.#stream = connection.stream;
    connection.query(this.#text);
    this.#stream.pause();
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#state === 'failed') return;
    try {
      this.#decoder.push(chunk, this.#rows);
    } catch (error) {
      this.#settle('failed', error);
      this.#stream?.destroy();
    }
    // All messages of this read of the socket are handled before whoever waits runs on.
    if (this.#rows.length > 0) this.#stop();
  }

  handleCommandComplete(): void {
    // What counts is the ReadyForQuery behind it.
  }

  handleReadyForQuery(): void {
    if (this.#decoder.ended) this.#settle('ended');
    else this.#settle('failed', new Error('the COPY ended without its trailer'));
    this.#stream?.resume();
  }

  handleError(error: Error): void {
    this.#settle('failed', error);
    this.#stream?.resume();
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#stream?.resume();
    });
  }

  #stop(): void {
    this.#stream?.pause();
    this.#wake?.();
    this.#wake = undefined;
  }

  #settle(state: 'ended' | 'failed', failure?: unknown): void {
    if (this.#state === 'copying') {
      this.#state = state;
      this.#failure = failure;
    }
    this.#stop();
  }
}
