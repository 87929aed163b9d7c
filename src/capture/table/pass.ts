import type { PassRequest, TablePass } from '../../core/capture.ts';
import type { Lsn } from '../../core/lsn.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import { postgresError } from '../../postgres/error.ts';
import type { BegunPass } from './begin-pass.ts';
import type { CopyOut } from './copy-out.ts';

/** What a pass works on. */
export interface PassParts {
  readonly request: PassRequest;
  readonly begun: BegunPass;
  readonly copy: CopyOut;
  /** {@link CopyOut.next}, which does not wait for ever for a server that has fallen silent. */
  readonly next: () => Promise<OutboxRow[] | null>;
  /** Whether the query ends by itself at one row more than is wanted. */
  readonly limited: boolean;
  /** Gives the connection back; `usable` when the copy was read to its end, so that nothing is under way on it. */
  readonly release: (usable: boolean) => Promise<void>;
}

/** A pass that reads one COPY. See {@link TablePass}. */
export class CopyPass implements TablePass {
  readonly snapshot: Snapshot;
  readonly insertLsn: Lsn;
  readonly #parts: PassParts;
  #taken = 0;
  /** A row was met that is wanted and beyond the bound. */
  #cut = false;
  #complete = false;
  #closed: Promise<void> | undefined;

  constructor(parts: PassParts) {
    this.snapshot = parts.begun.snapshot;
    this.insertLsn = parts.begun.insertLsn;
    this.#parts = parts;
  }

  get complete(): boolean {
    return this.#complete;
  }

  async *rows(): AsyncGenerator<readonly OutboxRow[], void, undefined> {
    const { limited } = this.#parts;
    // At its bound a query without LIMIT is left in the middle; one with LIMIT is read to its end, which is there.
    while (this.#closed === undefined && (!this.#cut || limited)) {
      const batch = await this.#next();
      if (batch === null) return;
      const taken = this.#take(batch);
      if (taken.length > 0) yield taken;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#parts.release(this.#parts.copy.ended);
    return this.#closed;
  }

  async #next(): Promise<OutboxRow[] | null> {
    try {
      const batch = await this.#parts.next();
      if (batch === null) this.#complete = !this.#cut;
      return batch;
    } catch (error) {
      if (this.#closed !== undefined) return null;
      throw postgresError(error, 'reading the outbox table');
    }
  }

  #take(batch: readonly OutboxRow[]): readonly OutboxRow[] {
    const { wanted, maxRows } = this.#parts.request;
    const kept = wanted === undefined ? batch : batch.filter((row) => wanted(row));
    const room = maxRows - this.#taken;
    if (kept.length > room) this.#cut = true;
    const taken = kept.length > room ? kept.slice(0, room) : kept;
    this.#taken += taken.length;
    return taken;
  }
}
