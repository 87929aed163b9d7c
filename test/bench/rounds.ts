import type { Contestant } from './contestants/contestant.ts';
import type { Figures } from './measure/figures.ts';

/** What came of a contestant in all rounds; one that drops out has none. */
export type Outcome =
  | { readonly kind: 'measured'; readonly rounds: readonly Figures[] }
  /** It could not be fetched. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** It did not do all of its work. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Plays one round of a contestant. @throws when not all of the work was done */
export type PlayRound = (contestant: Contestant, round: number) => Promise<Figures>;

/**
 * Contestants take turns, and each round another begins, so that what the machine does meanwhile falls on all alike. A
 * peer that fails drops out, and that is told.
 *
 * @param absent why some cannot take part
 * @throws when the relay fails
 */
export async function playRounds(
  contestants: readonly Contestant[],
  absent: ReadonlyMap<Contestant, string>,
  rounds: number,
  play: PlayRound,
): Promise<ReadonlyMap<Contestant, Outcome>> {
  const present = contestants.filter((contestant) => !absent.has(contestant));
  const figures = new Map(present.map((contestant) => [contestant, [] as Figures[]]));
  const failures = new Map<Contestant, string>();
  for (let round = 0; round < rounds; round++) {
    const turn = round % present.length;
    for (const contestant of [...present.slice(turn), ...present.slice(0, turn)]) {
      if (failures.has(contestant)) continue;
      try {
        figures.get(contestant)?.push(await play(contestant, round));
      } catch (error) {
        if (contestant.role === 'relay') throw error;
        failures.set(contestant, error instanceof Error ? error.message : String(error));
      }
    }
  }
  const outcomeOf = (contestant: Contestant): Outcome => {
    const unavailable = absent.get(contestant);
    if (unavailable !== undefined) return { kind: 'unavailable', reason: unavailable };
    const failed = failures.get(contestant);
    if (failed !== undefined) return { kind: 'failed', reason: failed };
    return { kind: 'measured', rounds: figures.get(contestant) ?? [] };
  };
  return new Map(contestants.map((contestant) => [contestant, outcomeOf(contestant)]));
}

/** Why those cannot take part that are not to be had. */
export async function fetchAll(contestants: readonly Contestant[]): Promise<ReadonlyMap<Contestant, string>> {
  const absent = new Map<Contestant, string>();
  for (const contestant of contestants) {
    try {
      await contestant.fetch();
    } catch (error) {
      absent.set(contestant, error instanceof Error ? error.message : String(error));
    }
  }
  return absent;
}
