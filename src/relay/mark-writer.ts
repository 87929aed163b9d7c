import { backoffDelay } from '../core/backoff.ts';
import type { RelayError } from '../core/errors.ts';
import type { ParkedMark, ParkedStore } from '../core/store.ts';
import { asRelayError } from './failure.ts';

/** Who is told. */
export interface MarkWriterHost {
  /** The marks are in the table. */
  written(marks: readonly ParkedMark[]): void;
  failed(error: RelayError): void;
}

const BATCH = 500;
const BACKOFF = { baseMs: 200, maxMs: 5_000 };

/** Writes the marks of parked rows: one statement at a time, with what has gathered meanwhile, until the table takes it. */
export class MarkWriter {
  readonly #store: Pick<ParkedStore, 'park'>;
  readonly #host: MarkWriterHost;
  #waiting: ParkedMark[] = [];
  #busy = false;
  #stopped = false;

  constructor(store: Pick<ParkedStore, 'park'>, host: MarkWriterHost) {
    this.#store = store;
    this.#host = host;
  }

  push(mark: ParkedMark): void {
    this.#waiting.push(mark);
    if (!this.#busy) void this.#run();
  }

  /** Begins no further statement: what is not marked is refused, and marked, again. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0 && !this.#stopped) await this.#write(this.#waiting.splice(0, BATCH));
    this.#busy = false;
  }

  async #write(marks: readonly ParkedMark[]): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt++) {
      try {
        await this.#store.park(marks);
        this.#host.written(marks);
        return;
      } catch (error) {
        this.#host.failed(asRelayError(error, 'writing the marks of parked rows'));
      }
      await new Promise((resolve) => setTimeout(resolve, backoffDelay(BACKOFF, attempt)));
    }
  }
}
