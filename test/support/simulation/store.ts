import { RelayError } from '../../../src/core/errors.ts';
import { seesTransaction } from '../../../src/core/snapshot.ts';
import type { OutboxRow, RowRef } from '../../../src/core/row.ts';
import type {
  Auditor,
  Look,
  LookCursor,
  ParkedMark,
  ParkedStore,
  PublishedRow,
  Settler,
  SettleResult,
} from '../../../src/core/store.ts';
import { type SimulatedRow, toTableRow } from './rows.ts';
import type { SimulatedSessions } from './sessions.ts';

/** Fewer than the relay asks for: most audits then take several looks. */
const ROWS_A_LOOK = 5;

/**
 * Deletions, marks and the audit, as `src/postgres` does them: rows are deleted by position and id in one statement,
 * whose own snapshot tells what is gone from what is not there yet.
 */
export class SimulatedStore implements Settler, ParkedStore, Auditor {
  readonly #sessions: SimulatedSessions;

  constructor(sessions: SimulatedSessions) {
    this.#sessions = sessions;
  }

  settle<Row extends PublishedRow>(rows: readonly Row[]): Promise<SettleResult<Row>> {
    const { settleFails } = this.#sessions.faults();
    return this.#statement('settling', settleFails, async () => {
      const { database } = this.#sessions;
      const release = await database.lock.share();
      const snapshot = database.snapshot();
      const found = new Map(rows.map((row) => [row, this.#find(row)]));
      database.delete([...found.values()].filter((row) => row !== null));
      release();
      const absent = rows.filter((row) => found.get(row) === null);
      const gone = (row: Row): boolean =>
        this.#sessions.breaks('gone-if-visible') || row.xid === null || seesTransaction(snapshot, row.xid);
      return {
        deleted: rows.length - absent.length,
        notYetVisible: absent.filter((row) => !gone(row)),
        missing: absent.filter(gone),
        locked: [],
        blocked: [],
      };
    });
  }

  #find({ position, id }: RowRef): SimulatedRow | null {
    const { table } = this.#sessions.database;
    if (this.#sessions.breaks('delete-by-id')) {
      return [...table.values()].find((row) => row.position === position) ?? null;
    }
    const row = table.get(id);
    return row?.position === position ? row : null;
  }

  load(): Promise<readonly ParkedMark[]> {
    const { parkFails } = this.#sessions.faults();
    return this.#statement('reading marks', parkFails / 2, () => [...this.#sessions.marks.values()]);
  }

  park(marks: readonly ParkedMark[]): Promise<void> {
    const { parkFails } = this.#sessions.faults();
    return this.#statement('parking', parkFails, () => {
      if (this.#sessions.gate.deposed && !this.#sessions.breaks('marks-fenced'))
        throw new RelayError('leadership_lost', 'simulated');
      for (const mark of marks) this.#sessions.marks.set(mark.id, mark);
    });
  }

  bury(row: PublishedRow): Promise<boolean> {
    const { parkFails } = this.#sessions.faults();
    return this.#statement('burying', parkFails, async () => {
      const { database, marks } = this.#sessions;
      const release = await database.lock.share();
      const found = this.#find(row);
      if (found !== null) {
        database.delete([found]);
        database.flush(database.insertLsn);
        marks.delete(row.id);
      }
      release();
      return found !== null || row.xid === null || seesTransaction(database.snapshot(), row.xid);
    });
  }

  leavesOutParkedKeys(): boolean {
    return this.#sessions.routing.keysInSql;
  }

  look(destination: string, limit: number, from: LookCursor | null): Promise<Look> {
    return this.#statement('auditing', this.#sessions.faults().passFails, () => {
      const { database } = this.#sessions;
      const rows = database.rows();
      const left = rows.filter(({ position }) => from === null || (position > from.after && position <= from.until));
      const scanned = left.slice(0, Math.min(limit, ROWS_A_LOOK));
      const after = left.length > scanned.length ? scanned.at(-1) : undefined;
      const wanted = new Set(this.#sessions.unpublished(destination));
      return {
        present: scanned.filter((row) => wanted.has(row)),
        next: after === undefined ? null : { after: after.position, until: from?.until ?? rows.at(-1)!.position },
        insertLsn: database.insertLsn,
      };
    });
  }

  stillThere(destination: string, refs: readonly RowRef[]): Promise<readonly RowRef[]> {
    return this.#statement('auditing', this.#sessions.faults().passFails, () => {
      const ids = new Set(refs.map(({ id }) => id));
      return this.#sessions.unpublished(destination).filter(({ id }) => ids.has(id));
    });
  }

  rows(refs: readonly RowRef[]): Promise<readonly OutboxRow[]> {
    return this.#statement('auditing', this.#sessions.faults().passFails, () =>
      refs.flatMap((ref) => this.#find(ref) ?? []).map(toTableRow),
    );
  }

  #statement<T>(doing: string, failing: number, work: () => T | Promise<T>): Promise<T> {
    return this.#sessions.call(() => this.#sessions.statement(doing, failing, work));
  }
}
