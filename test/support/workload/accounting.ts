import type { WrittenEvent } from './transaction.ts';
import type { Written } from './workload.ts';

/** What is wrong with what has arrived, in words; each list is empty when nothing is. */
export interface Account {
  /** Committed, and not at the broker. */
  readonly missing: readonly string[];
  /** At the broker, and never committed. */
  readonly phantoms: readonly string[];
  /** First occurrences of a key that came before an earlier version's. */
  readonly disorder: readonly string[];
  /** At the broker more than once. */
  readonly duplicates: readonly string[];
  /** Not what was written. */
  readonly altered: readonly string[];
  /** At the broker, and committed until a failover took them back. */
  readonly takenBack: readonly string[];
}

const SHOWN = 8;

/** Compares what has arrived, in its order at least per key, with what was written. */
export function account(written: Written, arrived: readonly WrittenEvent[]): Account {
  const committed = new Map(written.committed.map((event) => [event.id, event]));
  const seen = new Set<string>();
  const latest = new Map<string, number>();
  const [phantoms, disorder, duplicates, altered]: [string[], string[], string[], string[]] = [[], [], [], []];
  const takenBack = new Set<string>();
  for (const event of arrived) {
    const original = committed.get(event.id);
    if (original === undefined && written.takenBack.has(event.id)) {
      takenBack.add(tell(event));
      continue;
    }
    if (original === undefined) {
      phantoms.push(
        `${tell(event)}: ${written.rolledBack.has(event.id) ? 'rolled back' : 'of an unknown fate, not there'}`,
      );
      continue;
    }
    if (original.key !== event.key || original.version !== event.version)
      altered.push(`${tell(original)} as ${tell(event)}`);
    if (seen.has(event.id)) {
      duplicates.push(tell(event));
      continue;
    }
    seen.add(event.id);
    const before = latest.get(event.key) ?? 0;
    if (event.version < before) disorder.push(`${tell(event)} after ${before}`);
    latest.set(event.key, Math.max(before, event.version));
  }
  const missing = written.committed.filter(({ id }) => !seen.has(id)).map(tell);
  return { missing, phantoms, disorder, duplicates, altered, takenBack: [...takenBack] };
}

/** What breaks a promise, in lines that can be read; empty when all are kept. @param duplicates whether there may be some */
export function faults(found: Account, duplicates: 'none' | 'permitted'): string[] {
  const kinds = ['missing', 'phantoms', 'disorder', 'altered', ...(duplicates === 'none' ? ['duplicates'] : [])];
  return kinds.flatMap((kind) => {
    const list = found[kind as keyof Account];
    if (list.length === 0) return [];
    const more = list.length > SHOWN ? `, and ${list.length - SHOWN} more` : '';
    return [`${list.length} ${kind}: ${list.slice(0, SHOWN).join('; ')}${more}`];
  });
}

function tell({ id, key, version }: WrittenEvent): string {
  return `${key} v${version} (${id})`;
}
