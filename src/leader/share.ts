import type { Board, InstanceNumber } from './board.ts';

/** What an instance knows when it decides about its share. */
export interface ShareView {
  readonly self: InstanceNumber;
  readonly shards: number;
  readonly board: Pick<Board, 'members' | 'leaders'>;
  /** The shards that this instance leads, in the order in which they were taken. */
  readonly own: readonly number[];
  /** Shards that nobody has led for the length of a lease: whoever should have taken them cannot. */
  readonly abandoned: ReadonlySet<number>;
}

/** What an instance does about its share. */
export type ShareStep = { readonly take: number } | { readonly give: number } | null;

/**
 * Decides about an instance's share, so that of all shards each instance comes to lead as many as any other, or one more;
 * all instances decide by the same rules:
 *
 * - A shard that nobody leads is for those who lead fewest: several of them take different ones. One that is abandoned is for
 *   whoever comes first.
 * - Shards are handed over one after the other: only while all are led, and only by the one who leads most, if that is at
 *   least two more than another leads. So each handover brings the shares closer to each other, and there is an end to it.
 */
export function nextStep({ self, shards, board, own, abandoned }: ShareView): ShareStep {
  const free = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !board.leaders.has(shard));
  const left = free.find((shard) => abandoned.has(shard) || board.members.length === 0);
  if (left !== undefined) return { take: left };
  if (!board.members.includes(self)) return null;

  const counts = new Map(board.members.map((member) => [member, 0]));
  for (const leader of board.leaders.values()) {
    const count = leader === null ? undefined : counts.get(leader);
    if (leader !== null && count !== undefined) counts.set(leader, count + 1);
  }
  const fewest = Math.min(...counts.values());
  const most = Math.max(...counts.values());
  const rank = (count: number): number => board.members.filter((member) => counts.get(member) === count).indexOf(self);

  if (free.length > 0) {
    const mine = free[rank(fewest)];
    return mine === undefined ? null : { take: mine };
  }
  const last = own.at(-1);
  return most - fewest >= 2 && rank(most) === 0 && last !== undefined ? { give: last } : null;
}
