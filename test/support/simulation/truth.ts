import type { Stored } from './broker.ts';
import type { SimulatedRow } from './rows.ts';

/** What is wrong at the end of a history; all empty when nothing is. */
export interface Verdict {
  /** Committed and never published. */
  readonly missing: readonly string[];
  /** Published and not committed: rolled back, or taken back by a crash of the server. */
  readonly phantoms: readonly string[];
  /** First publications before those of older rows of their keys. */
  readonly disorder: readonly string[];
  /** Stored twice, where nothing happened that would excuse it. */
  readonly duplicates: readonly string[];
  readonly leftInTable: number;
  /** Rows that only the audit has found, though the publication had not left them out. */
  readonly stragglers: number;
  /** Why it never came to rest: published all, streaming; or null. */
  readonly stuck: string | null;
}

/** What the writers have done, by which everything is judged. */
export class Truth {
  readonly #committed = new Map<string, SimulatedRow>();
  /** Taken out of the table by an operator: nobody owes their publication. */
  readonly #withdrawn = new Set<string>();

  /** By a failover, which the promise excepts. */
  readonly #takenBack = new Set<string>();
  #mayTakeBackPublished = false;

  /** In the order of their becoming visible. */
  committed(rows: readonly SimulatedRow[]): void {
    for (const row of rows) this.#committed.set(row.id, row);
  }

  /** A crash of the server took them back. */
  takenBack(rows: readonly SimulatedRow[]): void {
    for (const { id } of rows) {
      this.#committed.delete(id);
      if (this.#mayTakeBackPublished) this.#takenBack.add(id);
    }
  }

  /** What is taken back from now on by a promoted standby may have been published: no relay could know. */
  failedOver(): void {
    this.#mayTakeBackPublished = true;
  }

  withdrawn(rows: Iterable<SimulatedRow>): void {
    for (const { id } of rows) this.#withdrawn.add(id);
  }

  /**
   * @param published in the order in which the brokers stored it
   * @param dead ids of dead letters
   */
  judge(
    published: readonly Stored[],
    dead: ReadonlySet<string>,
  ): Pick<Verdict, 'missing' | 'phantoms' | 'disorder' | 'duplicates'> {
    const stored = new Set([...published.map(({ id }) => id), ...dead]);
    const ids = [...this.#committed.keys()];
    return {
      missing: ids.filter((id) => !stored.has(id) && !this.#withdrawn.has(id)),
      phantoms: [...stored].filter((id) => !this.#committed.has(id) && !this.#takenBack.has(id)),
      disorder: this.#disorder(published, dead),
      duplicates: duplicates(published),
    };
  }

  /** Each first publication must be the next of its key; what is a dead letter, or withdrawn, may be left out. */
  #disorder(published: readonly Stored[], dead: ReadonlySet<string>): readonly string[] {
    const order = new Map<string, string[]>();
    for (const { id, key } of this.#committed.values()) {
      if (key === null) continue;
      const ids = order.get(key);
      if (ids === undefined) order.set(key, [id]);
      else ids.push(id);
    }
    const reached = new Map<string, number>();
    const seen = new Set<string>();
    const disorder: string[] = [];
    for (const { id } of published) {
      const key = this.#committed.get(id)?.key ?? null;
      if (key === null || seen.has(id)) continue;
      seen.add(id);
      const ids = order.get(key) ?? [];
      let at = reached.get(key) ?? 0;
      const isExcused = (each: string): boolean => seen.has(each) || dead.has(each) || this.#withdrawn.has(each);
      while (ids[at] !== id && at < ids.length && isExcused(ids[at]!)) at++;
      if (ids[at] === id) reached.set(key, at + 1);
      else if (!isExcusedLate(id, dead, this.#withdrawn)) disorder.push(`${key}: ${id} instead of ${ids[at]}`);
    }
    return disorder;
  }
}

/** What may be left out may also come late: a dead letter that is published after all, a row that was withdrawn. */
function isExcusedLate(id: string, dead: ReadonlySet<string>, withdrawn: ReadonlySet<string>): boolean {
  return dead.has(id) || withdrawn.has(id);
}

function duplicates(published: readonly Stored[]): readonly string[] {
  const seen = new Set<string>();
  return published.flatMap(({ id }) => (seen.has(id) ? [id] : (seen.add(id), [])));
}

/** What of a verdict is wrong. */
export function violations(verdict: Verdict): readonly (keyof Verdict)[] {
  const names = Object.keys(verdict) as (keyof Verdict)[];
  return names.filter((name) => {
    const found = verdict[name];
    return Array.isArray(found) ? found.length > 0 : found !== 0 && found !== null;
  });
}

/** Nothing is wrong. */
export const FINE: Verdict = {
  missing: [],
  phantoms: [],
  disorder: [],
  duplicates: [],
  leftInTable: 0,
  stragglers: 0,
  stuck: null,
};
