import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextStep, type ShareStep } from '../../src/leader/share.ts';

const NOTHING_ABANDONED: ReadonlySet<number> = new Set();

/** Instances and shards as locks have them; every instance sees them as they are when it looks. */
class Cluster {
  readonly members = new Set<number>();
  /** By shard, who leads it. */
  readonly leaders = new Map<number, number>();
  readonly shards: number;
  handovers = 0;

  constructor(shards: number) {
    this.shards = shards;
  }

  step(self: number, abandoned = NOTHING_ABANDONED): ShareStep {
    const members = [...this.members].sort((one, other) => one - other);
    const own = [...this.leaders].filter(([, leader]) => leader === self).map(([shard]) => shard);
    return nextStep({ self, shards: this.shards, board: { members, leaders: this.leaders }, own, abandoned });
  }

  /** One instance looks and acts. */
  act(self: number): void {
    const step = this.step(self);
    if (step === null) return;
    if ('take' in step) {
      expect(this.leaders.has(step.take)).toBe(false);
      this.leaders.set(step.take, self);
      return;
    }
    expect(this.leaders.get(step.give)).toBe(self);
    expect(this.leaders.size).toBe(this.shards);
    this.leaders.delete(step.give);
    this.handovers++;
  }

  die(self: number): void {
    this.members.delete(self);
    for (const [shard, leader] of this.leaders) if (leader === self) this.leaders.delete(shard);
  }

  /** Until nobody has anything to do, all looking in turn. */
  settle(): void {
    for (let round = 0; round < 500; round++) {
      if ([...this.members].every((member) => this.step(member) === null)) return;
      for (const member of this.members) this.act(member);
    }
    throw new Error('the instances go on handing over');
  }

  get counts(): number[] {
    return [...this.members].map((member) => [...this.leaders.values()].filter((leader) => leader === member).length);
  }
}

const events = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('join' as const), who: fc.nat(7) }),
    fc.record({ kind: fc.constant('die' as const), who: fc.nat(7) }),
    fc.record({ kind: fc.constant('act' as const), who: fc.nat(7) }),
  ),
  { maxLength: 60 },
);

it('whoever comes and goes, all shards are led in the end, and nobody leads more than one more than another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), events, (shards, history) => {
      const cluster = new Cluster(shards);
      for (const { kind, who } of history) {
        if (kind === 'join') cluster.members.add(who);
        else if (kind === 'die') cluster.die(who);
        else if (cluster.members.has(who)) cluster.act(who);
      }
      cluster.members.add(99);
      cluster.settle();
      expect(cluster.leaders.size).toBe(shards);
      expect(Math.max(...cluster.counts) - Math.min(...cluster.counts)).toBeLessThanOrEqual(1);
    }),
  );
});

it('hands over no more shards than an instance that joins comes to lead', () => {
  const cluster = new Cluster(8);
  for (const [joined, member] of [[0, 1] as const, [4, 2] as const, [2, 3] as const]) {
    cluster.members.add(member);
    const before = cluster.handovers;
    cluster.settle();
    expect(cluster.handovers - before).toBe(joined);
  }
});

it('does nothing while a shard that was handed over is not taken yet, and does not take it back', () => {
  const cluster = new Cluster(4);
  cluster.members.add(1);
  cluster.settle();
  cluster.members.add(2);
  expect(cluster.step(1)).toEqual({ give: 3 });
  cluster.act(1);
  expect(cluster.step(1)).toBeNull();
  expect(cluster.step(2)).toEqual({ take: 3 });
});

it('several who lead fewest take different shards', () => {
  const cluster = new Cluster(3);
  for (const member of [5, 6, 7, 8]) cluster.members.add(member);
  const steps = [5, 6, 7, 8].map((member) => cluster.step(member));
  expect(steps).toEqual([{ take: 0 }, { take: 1 }, { take: 2 }, null]);
});

it('leaves an abandoned shard to anybody, and all of them to one who rests while nobody else is there', () => {
  const cluster = new Cluster(2);
  cluster.members.add(1);
  cluster.members.add(2);
  cluster.leaders.set(0, 1);
  expect(cluster.step(1)).toBeNull();
  expect(cluster.step(1, new Set([1]))).toEqual({ take: 1 });
  expect(cluster.step(3)).toBeNull();
  cluster.members.clear();
  expect(cluster.step(3)).toEqual({ take: 1 });
});

it('a leader that nobody knows leads all the same', () => {
  const board = { members: [1], leaders: new Map([[0, null]]) };
  expect(nextStep({ self: 1, shards: 2, board, own: [], abandoned: NOTHING_ABANDONED })).toEqual({ take: 1 });
});
