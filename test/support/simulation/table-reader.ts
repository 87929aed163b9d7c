import type { PassRequest, TablePass, TableReader, Visibility } from '../../../src/core/capture.ts';
import { RelayError } from '../../../src/core/errors.ts';
import type { OutboxRow } from '../../../src/core/row.ts';
import type { Snapshot } from '../../../src/core/snapshot.ts';
import { pause } from './random.ts';
import { toTableRow, type SimulatedRow } from './rows.ts';
import type { SimulatedSessions } from './sessions.ts';

/**
 * The table lane, as `src/capture/table` does it: the lock before the snapshot, all rows of one snapshot, and a flush of
 * the log before the first of them is told.
 */
export class SimulatedReader implements TableReader, Visibility {
  readonly #sessions: SimulatedSessions;

  constructor(sessions: SimulatedSessions) {
    this.#sessions = sessions;
  }

  assignXid(): Promise<bigint> {
    const { database, faults } = this.#sessions;
    return this.#sessions.call(async () => {
      const xid = await this.#sessions.statement('assigning x0', faults().passFails, () => database.assignXid());
      if (database.random.chance(faults().slowXids)) await pause(database.random.below(60));
      return xid;
    });
  }

  snapshot(): Promise<Snapshot> {
    const { database, faults } = this.#sessions;
    return this.#sessions.call(() =>
      this.#sessions.statement('looking', faults().passFails, () => database.snapshot()),
    );
  }

  open(request: PassRequest, signal: AbortSignal): Promise<TablePass> {
    const { faults, gate } = this.#sessions;
    return this.#sessions.call(async () => {
      let release: () => void = () => undefined;
      try {
        return await this.#sessions.statement('opening a pass', faults().passFails, async () => {
          const begun = await this.#begin(request.destination);
          release = begun.release;
          gate.whenShut(release);
          return this.#pass(request, signal, begun);
        });
      } catch (error) {
        release();
        throw error;
      }
    });
  }

  async #begin(destination: string): Promise<BegunPass> {
    const { database } = this.#sessions;
    const first = this.#sessions.breaks('lock-before-snapshot') ? null : await database.lock.share();
    const before = database.insertLsn;
    if (this.#sessions.breaks('position-after-snapshot')) await pause(database.random.below(3));
    const snapshot = database.snapshot();
    const insertLsn = this.#sessions.breaks('position-after-snapshot') ? before : database.insertLsn;
    const seen = this.#sessions.unpublished(destination);
    if (first === null) await pause(database.random.below(3));
    const release = first ?? (await database.lock.share());
    if (!this.#sessions.breaks('flush-before-telling')) database.flush(insertLsn);
    return { snapshot, insertLsn, rows: database.rewrittenAfter(snapshot) ? [] : seen, release };
  }

  #pass(request: PassRequest, signal: AbortSignal, { snapshot, insertLsn, rows, release }: BegunPass): TablePass {
    const end = { reached: false, crashes: this.#sessions.database.crashes };
    const chunks = this.#sessions.breaks('one-snapshot')
      ? this.#pages(request, signal, end)
      : this.#chunks(rows, request, signal, end);
    return {
      snapshot,
      insertLsn,
      rows: () => chunks,
      get complete() {
        return end.reached;
      },
      close: () => {
        release();
        return Promise.resolve();
      },
    };
  }

  async *#chunks(
    rows: readonly SimulatedRow[],
    { maxRows, wanted = () => true }: PassRequest,
    signal: AbortSignal,
    end: PassEnd,
  ): AsyncGenerator<readonly OutboxRow[]> {
    const { random } = this.#sessions.database;
    let at = 0;
    for (let taken = 0; at < rows.length && taken < maxRows;) {
      const size = Math.min(1 + random.below(4), maxRows - taken);
      await this.#answer(end);
      if (signal.aborted) return;
      const chunk: OutboxRow[] = [];
      for (; at < rows.length && chunk.length < size; at++) {
        const row = toTableRow(rows[at]!);
        if (wanted(row)) chunk.push(row);
      }
      taken += chunk.length;
      yield chunk;
    }
    end.reached = at === rows.length;
  }

  /** What a reader does that pages by keyset, each page in a statement and snapshot of its own. */
  async *#pages(
    { destination, maxRows, wanted = () => true }: PassRequest,
    signal: AbortSignal,
    end: PassEnd,
  ): AsyncGenerator<readonly OutboxRow[]> {
    const { random } = this.#sessions.database;
    let last = 0n;
    for (let taken = 0; taken < maxRows;) {
      const size = 1 + random.below(4);
      await this.#answer(end);
      if (signal.aborted) return;
      const above = this.#sessions.unpublished(destination).filter(({ position }) => position > last);
      const page = above.map(toTableRow).filter(wanted).slice(0, size);
      end.reached = page.length === 0;
      if (end.reached) return;
      last = page.at(-1)?.position ?? last;
      taken += page.length;
      yield page;
    }
  }

  /** The next answer on the session of the pass, which ends with the server. */
  #answer({ crashes }: PassEnd): Promise<void> {
    const { database, faults, gate } = this.#sessions;
    return gate.call(async () => {
      await pause(database.random.below(3));
      if (database.crashes !== crashes) throw new RelayError('postgres_unreachable', 'simulated crash: a pass');
      if (database.random.chance(faults().passFails))
        throw new RelayError('postgres_query_failed', 'simulated: a pass');
    });
  }
}

interface BegunPass extends Pick<TablePass, 'snapshot' | 'insertLsn'> {
  readonly rows: readonly SimulatedRow[];
  readonly release: () => void;
}

interface PassEnd {
  /** Every wanted row has been told. */
  reached: boolean;
  /** Of the server, when the pass began. */
  readonly crashes: number;
}
