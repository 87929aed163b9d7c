import type { RowRef } from '../core/row.ts';
import type { ParkedRef } from '../core/store.ts';

interface Parked {
  readonly key: string | null;
  /** How often the row was refused. */
  readonly attempts: number;
  /** The reading of the table from which on a missing mark means that it was removed; null while it is being written. */
  writtenBefore: number | null;
}

/** Released rows of which it is remembered how often they were refused. */
const REMEMBERED = 10_000;

const rowKey = (ref: RowRef): string => `${ref.position}/${ref.id}`;

/**
 * What one destination leaves out: parked rows, and the keys that wait behind them. A copy of the marks in the table,
 * which other sessions may remove (`outbox-relay parked retry`).
 *
 * A removed mark does not count at once: rows of the key that a running pass or the stream meets after it would
 * overtake those it has already left out. It counts from the start of the next pass, which reads from the bottom.
 */
export class ParkedKeys {
  readonly #parked = new Map<string, Parked>();
  readonly #marksOfKey = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  #released: string[] = [];
  #reading = 0;
  #unwritten = 0;

  /** Rows parked. */
  get size(): number {
    return this.#parked.size;
  }

  /** Whether all marks are in the table: what is left out here is then left out there, too. */
  get allWritten(): boolean {
    return this.#unwritten === 0;
  }

  /** Whether a row is left out: parked itself, or behind a parked row of its key. */
  leavesOut(ref: RowRef, key: string | null): boolean {
    if (this.#parked.size === 0) return false;
    return (key !== null && this.#marksOfKey.has(key)) || this.#parked.has(rowKey(ref));
  }

  /** Parks a row, from now on, before its mark is written. */
  park(mark: ParkedRef): void {
    this.#add(mark, null);
  }

  /** How often a row has been refused before: marks that were removed count too, while this relay remembers them. */
  attemptsOf(ref: RowRef): number {
    const name = rowKey(ref);
    return this.#parked.get(name)?.attempts ?? this.#attempts.get(name) ?? 0;
  }

  /** The row's mark is in the table. */
  written(ref: RowRef): void {
    const parked = this.#parked.get(rowKey(ref));
    if (parked?.writtenBefore !== null) return;
    parked.writtenBefore = this.#reading + 1;
    this.#unwritten--;
  }

  /**
   * A row parked by this relay needs no mark: what was left out because of it is let in at the next
   * {@link applyReleases}, as with a mark that was removed.
   */
  releaseLater(ref: RowRef): void {
    const name = rowKey(ref);
    const parked = this.#parked.get(name);
    if (parked === undefined) return;
    if (parked.writtenBefore === null) this.#unwritten--;
    parked.writtenBefore = 0;
    this.#released.push(name);
  }

  /** To be called before the marks are read from the table; gives the reading's number for {@link read}. */
  beginReading(): number {
    return ++this.#reading;
  }

  /**
   * Takes in what the table says. Marks that are new are parked at once; those that are gone, and had been written
   * before the reading began, are released at the next {@link applyReleases}.
   *
   * @returns how many were released
   */
  read(reading: number, marks: readonly ParkedRef[]): number {
    const present = new Set<string>();
    for (const mark of marks) {
      const name = rowKey(mark);
      present.add(name);
      if (!this.#parked.has(name)) this.#add(mark, reading);
    }
    this.#released = [...this.#parked]
      .filter(([name, { writtenBefore }]) => !present.has(name) && writtenBefore !== null && writtenBefore <= reading)
      .map(([name]) => name);
    return this.#released.length;
  }

  /** Lets released keys in again. To be called at the start of a pass, before its snapshot. */
  applyReleases(): void {
    for (const name of this.#released) this.#remove(name);
    this.#released = [];
  }

  #add(mark: ParkedRef, writtenBefore: number | null): void {
    const name = rowKey(mark);
    if (this.#parked.has(name)) return;
    this.#parked.set(name, { key: mark.key, attempts: mark.attempts, writtenBefore });
    if (writtenBefore === null) this.#unwritten++;
    if (mark.key !== null) this.#marksOfKey.set(mark.key, (this.#marksOfKey.get(mark.key) ?? 0) + 1);
  }

  #remove(name: string): void {
    const parked = this.#parked.get(name);
    if (parked === undefined) return;
    this.#parked.delete(name);
    this.#remember(name, parked.attempts);
    if (parked.writtenBefore === null) this.#unwritten--;
    const { key } = parked;
    if (key === null) return;
    const left = (this.#marksOfKey.get(key) ?? 1) - 1;
    if (left === 0) this.#marksOfKey.delete(key);
    else this.#marksOfKey.set(key, left);
  }

  #remember(name: string, attempts: number): void {
    this.#attempts.delete(name);
    this.#attempts.set(name, attempts);
    const [oldest] = this.#attempts.keys();
    if (this.#attempts.size > REMEMBERED && oldest !== undefined) this.#attempts.delete(oldest);
  }
}
