import { RelayError } from '../core/errors.ts';
import { grown, IdTable } from './id-table.ts';
import { hashText, HighestPositions } from './key-order.ts';
import type { ComparisonResult, DuplicatedId, MissingId, OutOfOrderId } from './report.ts';

/** A message as the broker holds it. */
export interface ObservedMessage {
  readonly id: string;
  /** Within which order is kept: a number for each partition or queue. */
  readonly lane: number;
  /** Where it says so itself; of an id that the record knows, the record's key counts. */
  readonly key: string | null;
  /** Where it says so itself, by a header; the record's position counts before it. */
  readonly position: bigint | null;
  /** Whether it lies in the window: only there copies are counted. */
  readonly inWindow: boolean;
  /** Whether its id must be in the record, or its row in the table. */
  readonly accountable: boolean;
  /** Where it lies, for people. */
  readonly where: () => string;
}

/** An entry of the record of published ids. */
export interface PublishedId {
  readonly position: bigint;
  readonly id: string;
  readonly key: string | null;
  readonly address: string;
  readonly deadLetter: boolean;
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** Whether it lies in the window. */
  readonly judged: boolean;
  /** False where the broker may have dropped the message by now: then its absence says nothing. */
  readonly retained: boolean;
}

/** More ids than this are not compared at a time; where each has a key of its own, they take some 600 MB. */
export const MOST_IDS = 5_000_000;

const IN_RECORD = 1;
const JUDGED = 2;
const IN_TABLE = 4;
const KEYED = 8;
const DEAD_LETTER = 16;
const PLACED = 32;
const ACCOUNTABLE = 64;
const ROOM = 1024;
const MOST_COPIES = 255;

/**
 * Compares what a broker holds with what was published. First everything that the broker holds is observed, in its
 * order, then the record of published ids is gone through, then what still is in the table; then there is a result.
 * Only observed ids are kept, in about 70 bytes each, and up to 50 more for each key while order is judged.
 */
export class Comparison {
  readonly #ids = new IdTable();
  readonly #examples: number;
  #positions = new BigInt64Array(ROOM);
  #keysHigh = new Uint32Array(ROOM);
  #keysLow = new Uint32Array(ROOM);
  #lanes = new Uint32Array(ROOM);
  #flags = new Uint8Array(ROOM);
  #seen = new Uint8Array(ROOM);
  #recorded = new Uint8Array(ROOM);
  readonly #copies: (DuplicatedId & { readonly number: number })[] = [];
  readonly #missing: MissingId[] = [];
  #messages = 0;
  #missingIds = 0;
  #judgedIds = 0;
  #notRetained = 0;

  /** @param examples how many of each kind are told */
  constructor(examples: number) {
    this.#examples = examples;
  }

  /** @throws RelayError `verify_refused` when there are more than {@link MOST_IDS} ids */
  observe(message: ObservedMessage): void {
    this.#messages++;
    const before = this.#ids.size;
    const number = this.#ids.add(message.id);
    if (number < before) {
      this.#seenAgain(number, message);
      return;
    }
    if (number === this.#flags.length) this.#grow();
    if (number >= MOST_IDS) throw tooMany();
    this.#seen[number] = 1;
    this.#lanes[number] = message.lane;
    this.#flags[number] = message.accountable ? ACCOUNTABLE : 0;
    if (message.position !== null) this.#place(number, message.position, message.key);
  }

  /** An entry of the record. All observing must be over. */
  published(entry: PublishedId): void {
    if (entry.judged) this.#judgedIds++;
    const number = this.#ids.find(entry.id);
    if (number < 0) {
      if (entry.judged) this.#absent(entry);
      return;
    }
    const known = this.#flags[number] ?? 0;
    this.#recorded[number] = Math.min((this.#recorded[number] ?? 0) + 1, MOST_COPIES);
    const isFirst = (known & IN_RECORD) === 0;
    if (isFirst || entry.position < (this.#positions[number] ?? 0n)) this.#place(number, entry.position, entry.key);
    this.#flag(number, IN_RECORD | (entry.judged ? JUDGED : 0) | (entry.deadLetter ? DEAD_LETTER : 0));
  }

  /** A row that is in the outbox: it may have been published and not yet been deleted. */
  inTable(id: string): void {
    const number = this.#ids.find(id);
    if (number >= 0) this.#flag(number, IN_TABLE);
  }

  /** Whether there are ids that must be in the record and so far are not: then the table has to be asked. */
  get hasUnknown(): boolean {
    for (let number = 0; number < this.#ids.size; number++) if (this.#isUnknown(number)) return true;
    return false;
  }

  /**
   * @param recorded whether there is a record: else ids that none has say nothing, and all that is placed is judged
   */
  result(recorded: boolean): ComparisonResult {
    const copies = this.#countCopies();
    return {
      messages: this.#messages,
      ids: this.#ids.size,
      recorded: recorded ? this.#judgedIds : null,
      missing: recorded ? { count: this.#missingIds, examples: this.#missing } : null,
      notRetained: this.#notRetained,
      duplicated: copies,
      outOfOrder: this.#findDisorder(recorded),
      unexpected: recorded ? this.#findUnknown() : null,
    };
  }

  #seenAgain(number: number, message: ObservedMessage): void {
    if (message.accountable) this.#flag(number, ACCOUNTABLE);
    if (!message.inWindow) return;
    this.#seen[number] = Math.min((this.#seen[number] ?? 0) + 1, MOST_COPIES);
    if (this.#copies.length < this.#examples * 2) {
      this.#copies.push({ number, id: message.id, where: message.where(), copies: 0 });
    }
  }

  #absent(entry: PublishedId): void {
    if (!entry.retained) {
      this.#notRetained++;
      return;
    }
    this.#missingIds++;
    if (this.#missing.length >= this.#examples) return;
    const { position, id, key, address, publishedAt } = entry;
    this.#missing.push({ position, id, key, address, publishedAt: new Date(publishedAt).toISOString() });
  }

  #place(number: number, position: bigint, key: string | null): void {
    this.#positions[number] = position;
    this.#flag(number, PLACED);
    if (key === null) return;
    this.#flag(number, KEYED);
    this.#keysHigh[number] = hashText(key, 1);
    this.#keysLow[number] = hashText(key, 2);
  }

  #flag(number: number, flags: number): void {
    this.#flags[number] = (this.#flags[number] ?? 0) | flags;
  }

  #has(number: number, flags: number): boolean {
    return ((this.#flags[number] ?? 0) & flags) === flags;
  }

  #isUnknown(number: number): boolean {
    return ((this.#flags[number] ?? 0) & (ACCOUNTABLE | IN_RECORD | IN_TABLE)) === ACCOUNTABLE;
  }

  /** Rows that share an id are as many messages, and no copies of each other. */
  #copiesOf(number: number): number {
    return Math.max(0, (this.#seen[number] ?? 0) - Math.max(1, this.#recorded[number] ?? 0));
  }

  #countCopies(): ComparisonResult['duplicated'] {
    let count = 0;
    let copies = 0;
    for (let number = 0; number < this.#ids.size; number++) {
      const extra = this.#copiesOf(number);
      if (extra === 0) continue;
      count++;
      copies += extra;
    }
    const told = new Map<number, DuplicatedId>();
    for (const { number, id, where } of this.#copies) {
      const extra = this.#copiesOf(number);
      if (extra > 0 && told.size < this.#examples && !told.has(number)) told.set(number, { id, where, copies: extra });
    }
    return { count, copies, examples: [...told.values()] };
  }

  /** Ids are numbered in the order of their first appearance. */
  #findDisorder(recorded: boolean): ComparisonResult['outOfOrder'] {
    const highest = new HighestPositions();
    const examples: OutOfOrderId[] = [];
    let count = 0;
    for (let number = 0; number < this.#ids.size; number++) {
      if (!this.#has(number, PLACED | KEYED) || this.#has(number, DEAD_LETTER)) continue;
      const position = this.#positions[number] ?? 0n;
      const lane = Math.imul((this.#lanes[number] ?? 0) + 1, 0x9e3779b1);
      const low = ((this.#keysLow[number] ?? 0) ^ lane) >>> 0;
      const behind = highest.raise(this.#keysHigh[number] ?? 0, low, position);
      if (behind === null || behind <= position || (recorded && !this.#has(number, JUDGED))) continue;
      count++;
      if (examples.length < this.#examples) examples.push({ id: this.#ids.textOf(number), position, behind });
    }
    return { count, examples };
  }

  #findUnknown(): ComparisonResult['unexpected'] {
    const examples: string[] = [];
    let count = 0;
    for (let number = 0; number < this.#ids.size; number++) {
      if (!this.#isUnknown(number)) continue;
      count++;
      if (examples.length < this.#examples) examples.push(this.#ids.textOf(number));
    }
    return { count, examples };
  }

  #grow(): void {
    const room = this.#flags.length * 2;
    this.#positions = grown(this.#positions, new BigInt64Array(room));
    this.#keysHigh = grown(this.#keysHigh, new Uint32Array(room));
    this.#keysLow = grown(this.#keysLow, new Uint32Array(room));
    this.#lanes = grown(this.#lanes, new Uint32Array(room));
    this.#flags = grown(this.#flags, new Uint8Array(room));
    this.#seen = grown(this.#seen, new Uint8Array(room));
    this.#recorded = grown(this.#recorded, new Uint8Array(room));
  }
}

function tooMany(): RelayError {
  return new RelayError('verify_refused', `the window holds more than ${MOST_IDS} ids`, {
    remedy: 'Choose a shorter window with --since and --until, or one topic with --topic.',
  });
}
