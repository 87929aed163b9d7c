/** A record of one partition, by its place in it. */
export interface Positioned {
  readonly offset: bigint;
}

interface Entry<T> {
  readonly record: T;
  settled: boolean;
}

/** Settles the record that it was given for. */
export type Settle = () => void;

/**
 * What of one partition has been settled without a gap: records are settled in any order, but only the prefix of those that came
 * first may be committed, or what is before it would be lost with this process.
 *
 * By the order in which records came, not by counting offsets: compaction and transactions leave gaps in these.
 */
export class PartitionProgress<T extends Positioned> {
  /** In the order they came; settled ones in front are taken off. */
  #entries: Entry<T>[] = [];
  #settled: T | null = null;
  #last: bigint | null = null;

  /**
   * A record has come. One that is not behind the last begins the partition anew, as after a rebalance or a seek: what came before
   * comes again, and is no part of the prefix any more.
   */
  received(record: T): Settle {
    if (this.#last !== null && record.offset <= this.#last) this.#restart();
    this.#last = record.offset;
    const entry: Entry<T> = { record, settled: false };
    this.#entries.push(entry);
    return () => {
      entry.settled = true;
      this.#advance();
    };
  }

  /** The last record of the settled prefix, once: null until it has grown. Its offset + 1 is what to commit. */
  takeSettled(): T | null {
    const settled = this.#settled;
    this.#settled = null;
    return settled;
  }

  #advance(): void {
    const open = this.#entries.findIndex((entry) => !entry.settled);
    const ended = this.#entries.splice(0, open === -1 ? this.#entries.length : open);
    const last = ended.at(-1);
    if (last !== undefined) this.#settled = last.record;
  }

  #restart(): void {
    this.#entries = [];
    this.#settled = null;
  }
}
