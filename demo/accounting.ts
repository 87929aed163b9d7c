import { Latencies, type Percentiles } from './latencies.ts';

/** A row that is about to be committed. */
export interface WrittenRow {
  /** The dedup key. */
  readonly id: string;
  /** The message key, of whose rows the order is kept. */
  readonly key: string;
  /** Its place among the rows of its key, counted by the database under the lock that writers of the key hold. */
  readonly version: number;
}

/** What can be told while rows are under way. */
export interface Counts {
  /** Rows of committed transactions. */
  readonly inserted: number;
  /** Of these, those that have arrived. */
  readonly published: number;
  readonly waiting: number;
  /** Arrivals of rows that had arrived before, as at-least-once permits. */
  readonly repeated: number;
  readonly rolledBack: number;
}

/** What the accounting came to. */
export interface Verdict extends Counts {
  readonly ok: boolean;
  /** Ids of committed rows that never arrived. */
  readonly missing: readonly string[];
  /** Ids of rows whose first arrival came after that of a later row of the same key. */
  readonly outOfOrder: readonly string[];
  /** Ids that arrived although their transaction was rolled back, or that nobody ever wrote. */
  readonly phantom: readonly string[];
  /** From the COMMIT that was sent to the arrival, in milliseconds. */
  readonly latencyMs: Percentiles | null;
}

type Fate = 'open' | 'committed' | 'rolled back';

interface Entry extends WrittenRow {
  readonly sentAt: number;
  fate: Fate;
  arrived: boolean;
  overtaken: boolean;
}

/**
 * Accounts for every row by its id: what was committed must arrive, in the order of its key, and what was rolled back
 * must not. Rows are told before their COMMIT is sent, since a message may arrive before the writer hears that the
 * transaction is committed.
 */
export class Accounting {
  readonly #entries = new Map<string, Entry>();
  readonly #strangers = new Set<string>();
  /** The highest version of each key that has arrived. */
  readonly #latest = new Map<string, number>();
  readonly #all = new Latencies();
  #recent: readonly [Latencies, Latencies] = [new Latencies(), new Latencies()];
  #inserted = 0;
  #published = 0;
  #repeated = 0;
  #rolledBack = 0;

  /** @param sentAt when COMMIT or ROLLBACK is sent, in milliseconds of any clock that {@link arrived} uses as well */
  sent(rows: readonly WrittenRow[], sentAt: number): void {
    for (const row of rows)
      this.#entries.set(row.id, { ...row, sentAt, fate: 'open', arrived: false, overtaken: false });
  }

  committed(rows: readonly WrittenRow[]): void {
    for (const entry of this.#settle(rows, 'committed')) {
      this.#inserted++;
      if (entry.arrived) this.#published++;
    }
  }

  rolledBack(rows: readonly WrittenRow[]): void {
    this.#rolledBack += this.#settle(rows, 'rolled back').length;
  }

  /** A message has come out at the other end. */
  arrived(id: string, at: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      this.#strangers.add(id);
      return;
    }
    if (entry.arrived) {
      this.#repeated++;
      return;
    }
    entry.arrived = true;
    const latest = this.#latest.get(entry.key) ?? -Infinity;
    entry.overtaken = entry.version < latest;
    this.#latest.set(entry.key, Math.max(latest, entry.version));
    for (const latencies of [this.#all, ...this.#recent]) latencies.add(at - entry.sentAt);
    if (entry.fate === 'committed') this.#published++;
  }

  counts(): Counts {
    return {
      inserted: this.#inserted,
      published: this.#published,
      waiting: this.#inserted - this.#published,
      repeated: this.#repeated,
      rolledBack: this.#rolledBack,
    };
  }

  /** Latencies since the last but one {@link forgetOldLatencies}. */
  recentLatency(): Percentiles | null {
    return this.#recent[0].percentiles();
  }

  forgetOldLatencies(): void {
    this.#recent = [this.#recent[1], new Latencies()];
  }

  verdict(): Verdict {
    const entries = [...this.#entries.values()];
    const idsOf = (wanted: (entry: Entry) => boolean): string[] => entries.filter(wanted).map(({ id }) => id);
    const missing = idsOf(({ fate, arrived }) => fate === 'committed' && !arrived);
    const outOfOrder = idsOf(({ fate, overtaken }) => fate === 'committed' && overtaken);
    const phantom = [...idsOf(({ fate, arrived }) => fate === 'rolled back' && arrived), ...this.#strangers];
    const ok = missing.length + outOfOrder.length + phantom.length === 0;
    return { ok, ...this.counts(), missing, outOfOrder, phantom, latencyMs: this.#all.percentiles() };
  }

  #settle(rows: readonly WrittenRow[], fate: Fate): Entry[] {
    return rows.map(({ id }) => {
      const entry = this.#entries.get(id);
      if (entry === undefined) throw new Error(`row ${id} was never announced`);
      entry.fate = fate;
      return entry;
    });
  }
}
